import Foundation
import Freshet
import NIOCore

/// Standard output is for what was asked for, standard error for everything else.
enum Output {
    static func line(_ text: String) { write(text + "\n", to: .standardOutput) }

    static func error(_ text: String) { write(text + "\n", to: .standardError) }

    /// Without a line's end, to be overwritten.
    static func progress(_ text: String) { write(text, to: .standardOutput) }

    static func json(_ value: some Encodable) throws {
        line(String(buffer: try StoredJSON.encode(value)))
    }

    static var isTerminal: Bool { isatty(STDOUT_FILENO) == 1 }

    private static func write(_ text: String, to file: FileHandle) {
        // A reader that has gone is no reason to fail.
        try? file.write(contentsOf: Data(text.utf8))
    }
}
