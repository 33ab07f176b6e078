extension Array where Element: Sendable {
    /// The results in the order of the elements, made so many at a time.
    func mapConcurrently<Value: Sendable>(
        width: Int,
        _ transform: @escaping @Sendable (Element) async -> Value
    ) async -> [Value] {
        await withTaskGroup(of: (Int, Value).self) { group in
            var waiting = enumerated().makeIterator()
            for _ in 0..<Swift.max(1, width) {
                guard let (index, element) = waiting.next() else { break }
                group.addTask { (index, await transform(element)) }
            }
            var values: [Int: Value] = [:]
            for await (index, result) in group {
                values[index] = result
                if let (index, element) = waiting.next() { group.addTask { (index, await transform(element)) } }
            }
            return indices.compactMap { values[$0] }
        }
    }
}
