import Foundation
import Freshet
import NIOCore

/// Standard output is for what was asked for, standard error for everything else.
enum Output {
    static func line(_ text: String) { write(Data("\(text)\n".utf8), to: .standardOutput) }

    /// Byte for byte, whether they are text or not.
    static func line(_ bytes: ByteBuffer) { write(Data(bytes.readableBytesView + "\n".utf8), to: .standardOutput) }

    static func error(_ text: String) { write(Data("\(text)\n".utf8), to: .standardError) }

    /// Without a line's end, to be overwritten.
    static func progress(_ text: String) { write(Data(text.utf8), to: .standardOutput) }

    static func json(_ value: some Encodable) throws {
        line(String(buffer: try StoredJSON.encode(value)))
    }

    static var isTerminal: Bool { isatty(STDOUT_FILENO) == 1 }

    private static func write(_ bytes: Data, to file: FileHandle) {
        // A reader that has gone is no reason to fail.
        try? file.write(contentsOf: bytes)
    }
}
