import NIOCore

extension String {
    /// Whether a command can be called so: by printable characters of ASCII.
    ///
    /// Redis compares up to a NUL, and so may take another name for that of a command it knows.
    package var isCommandName: Bool {
        func isPrintable(_ byte: UInt8) -> Bool { byte > 0x20 && byte < 0x7F }
        // Asked of every command: over contiguous bytes it costs about a nanosecond, one by one ten.
        return utf8.withContiguousStorageIfAvailable { $0.allSatisfy(isPrintable) } ?? utf8.allSatisfy(isPrintable)
    }

    /// FNV-1a of a command's name as Redis compares it; looking names up by it allocates nothing.
    package var commandHash: UInt64 {
        utf8.prefix { $0 != 0 }.reduce(0xCBF2_9CE4_8422_2325) { ($0 ^ UInt64($1 & 0xDF)) &* 0x100_0000_01B3 }
    }
}

extension RESPCommand {
    /// - Parameter name: in capitals.
    package func isNamed(_ name: String) -> Bool { self.name.utf8.isWord(name) }

    /// - Parameter word: in capitals.
    package func hasWord(_ word: String, at position: Int) -> Bool { argument(at: position)?.isWord(word) ?? false }
}

extension RESPArgument {
    /// - Parameter word: in capitals.
    package func isWord(_ word: String) -> Bool {
        switch self {
        case .string(let text): text.utf8.isWord(word)
        case .bytes(let bytes): bytes.readableBytesView.isWord(word)
        case .integer: false
        }
    }
}

extension Sequence<UInt8> {
    /// Whether Redis takes it for a word: it compares up to a NUL, and only ASCII's letters have another case.
    ///
    /// - Parameter word: in capitals.
    package func isWord(_ word: String) -> Bool {
        lazy.prefix { $0 != 0 }.map(\.capital).elementsEqual(word.utf8)
    }
}

extension UInt8 {
    /// Only the letters of ASCII have another case here.
    package var capital: UInt8 { (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(self) ? self & 0xDF : self }
}
