import NIOCore

/// Elements in nearly the order of their tokens.
extension RandomAccessCollection where Index == Int {
    /// Where the element with a token is. Searches outwards from where it is if they are in order.
    func firstIndex(ofToken token: UInt64, by tokenOf: (Element) -> UInt64) -> Index? {
        var (above, end) = (startIndex, endIndex)
        while above < end {
            let middle = above + (end - above) / 2
            if tokenOf(self[middle]) < token { above = middle + 1 } else { end = middle }
        }
        var below = above - 1
        while below >= startIndex || above < endIndex {
            if above < endIndex {
                if tokenOf(self[above]) == token { return above }
                above += 1
            }
            if below >= startIndex {
                if tokenOf(self[below]) == token { return below }
                below -= 1
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
