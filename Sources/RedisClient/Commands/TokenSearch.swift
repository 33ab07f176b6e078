import NIOCore

/// Elements in nearly the order of their tokens.
extension RandomAccessCollection where Index == Int {
    /// Where the element with a token is. Searches outwards from where it is if no token is missing.
    func firstIndex(ofToken token: UInt64, by tokenOf: (Element) -> UInt64) -> Index? {
        guard let first else { return nil }
        let (distance, underflow) = token.subtractingReportingOverflow(tokenOf(first))
        var below = startIndex + Swift.min(underflow ? 0 : Int(clamping: distance), count - 1)
        var above = below + 1
        while below >= startIndex || above < endIndex {
            if below >= startIndex {
                if tokenOf(self[below]) == token { return below }
                below -= 1
            }
            if above < endIndex {
                if tokenOf(self[above]) == token { return above }
                above += 1
            }
        }
        return nil
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
