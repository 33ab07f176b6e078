extension Mixture {
    /// So many callers of each kind at once: two that append, one with pipelines, one with transactions. There have to
    /// be the strings `string:0`, `string:1` and so on.
    ///
    /// - Returns: what became of the steps of each list.
    public func crowd(
        of count: Int,
        steps: Int,
        seed: UInt64,
        _ run: @escaping Run,
        pipeline: @escaping RunPipeline,
        transaction: @escaping RunPipeline
    ) async -> [String: Tally] {
        await withTaskGroup(of: (String, Tally)?.self) { group in
            for number in 0..<count {
                let seed = seed << 8 + UInt64(number * 4)
                for (caller, key) in ["list:\(number)", "queue:\(number)"].enumerated() {
                    group.addTask {
                        (key, await self.append(to: key, steps: steps, seed: seed + UInt64(caller), run))
                    }
                }
                group.addTask {
                    await self.pipelines(of: "string:\(number)", steps: steps * 2 / 5, seed: seed + 2, pipeline)
                    return nil
                }
                group.addTask {
                    await self.transactions(on: "both:\(number)", steps: steps * 2 / 5, seed: seed + 3, transaction)
                    return nil
                }
            }
            return await group.reduce(into: [:]) { if let (key, tally) = $1 { $0[key] = tally } }
        }
    }
}
