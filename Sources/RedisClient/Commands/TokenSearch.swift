import NIOCore

extension CircularBuffer {
    /// Where the element with a token is; elements are in the order of their tokens.
    func firstIndex(ofToken token: UInt64, by tokenOf: (Element) -> UInt64) -> Index? {
        var (start, end) = (0, count)
        while start < end {
            let middle = start + (end - start) / 2
            if tokenOf(self[offset: middle]) < token { start = middle + 1 } else { end = middle }
        }
        guard start < count, tokenOf(self[offset: start]) == token else { return nil }
        return index(startIndex, offsetBy: start)
    }
}
