import RESP

/// `MULTI … EXEC` in a pipeline, as other executors of commands have it.
enum Transaction {
    /// The commands between, if a pipeline is a transaction.
    static func commands(of pipeline: [RESPCommand]) -> [RESPCommand]? {
        guard pipeline.count > 2, pipeline[0].isNamed("MULTI"), pipeline[pipeline.count - 1].isNamed("EXEC")
        else { return nil }
        return Array(pipeline.dropFirst().dropLast())
    }

    /// What a server answers to each command of the pipeline.
    static func replies(_ count: Int, _ run: () async throws -> [RESPValue]) async throws -> [RESPValue] {
        let last: RESPValue
        do {
            last = .array(try await run())
        } catch let error as RESPError {
            last = .error(error)
        }
        return [.simpleString("OK")] + Array(repeating: .simpleString("QUEUED"), count: count) + [last]
    }
}
