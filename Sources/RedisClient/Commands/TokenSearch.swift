import NIOCore

/// Elements in the order of their tokens.
extension RandomAccessCollection where Index == Int {
    /// Where the element with a token is.
    func firstIndex(ofToken token: UInt64, by tokenOf: (Element) -> UInt64) -> Index? {
        var (start, end) = (startIndex, endIndex)
        while start < end {
            let middle = start + (end - start) / 2
            if tokenOf(self[middle]) < token { start = middle + 1 } else { end = middle }
        }
        return start < endIndex && tokenOf(self[start]) == token ? start : nil
    }
}

extension CircularBuffer {
    func firstIndex(ofToken token: UInt64, by tokenOf: (Element) -> UInt64) -> Index? {
        let offset = Offsets(elements: self).firstIndex(ofToken: token, by: tokenOf)
        return offset.map { index(startIndex, offsetBy: $0) }
    }
}

/// A circular buffer counted from zero.
private struct Offsets<Element>: RandomAccessCollection {
    let elements: CircularBuffer<Element>

    var startIndex: Int { 0 }
    var endIndex: Int { elements.count }
    subscript(offset: Int) -> Element { elements[elements.index(elements.startIndex, offsetBy: offset)] }
}
