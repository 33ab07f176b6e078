/// Text that equals another only if its bytes do, as a key of a store does: `String` takes spellings that are canonically
/// equivalent – é, and e with an accent – for one.
@usableFromInline
package struct ExactKey: Hashable, Sendable {
    @usableFromInline package let text: String

    @inlinable package init(_ text: String) { self.text = text }

    @inlinable
    @inline(__always)
    package static func == (left: ExactKey, right: ExactKey) -> Bool {
        // Nearly always it is one string, or two that are short: then the words that hold them tell. Inlined, it compares
        // keys where they are, and retains none.
        if MemoryLayout<String>.size == MemoryLayout<ShortString>.size {
            let (one, other) = (
                unsafeBitCast(left.text, to: ShortString.self), unsafeBitCast(right.text, to: ShortString.self)
            )
            if one.low == other.low, one.last == other.last { return true }
        }
        return left.hasBytes(of: right)
    }

    @usableFromInline
    func hasBytes(of other: ExactKey) -> Bool {
        var (one, other) = (text, other.text)
        return one.withUTF8 { one in
            other.withUTF8 { other in one.count == other.count && one.elementsEqual(other) }
        }
    }

    @inlinable
    package func hash(into hasher: inout Hasher) {
        var text = text
        text.withUTF8 { hasher.combine(bytes: UnsafeRawBufferPointer($0)) }
    }
}

extension Dictionary where Key == ExactKey {
    @inlinable
    package subscript(_ text: String) -> Value? {
        get { self[ExactKey(text)] }
        _modify { yield &self[ExactKey(text)] }
    }

    @inlinable
    package subscript(_ text: String, default value: @autoclosure () -> Value) -> Value {
        get { self[ExactKey(text), default: value()] }
        _modify { yield &self[ExactKey(text), default: value()] }
    }
}
