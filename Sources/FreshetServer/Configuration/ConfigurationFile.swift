import Foundation

/// The file itself: a regular one, a pipe or a device.
enum ConfigurationFile {
    private static let largest = 16 << 20

    /// - Throws: ``ConfigurationError``.
    static func text(_ file: String) throws -> String {
        func problem(_ message: String, _ advice: String, at place: Place? = nil) -> ConfigurationError {
            ConfigurationError([ConfigurationProblem(file, at: place, message, advice)])
        }
        let bytes: Data
        do {
            bytes = try read(file)
        } catch {
            throw switch error.code {
            case .ENOENT, .ENOTDIR:
                problem("there is no such file", "name the configuration with --config or FRESHET_CONFIG")
            case .EISDIR: problem("this is a folder", "name the file in it")
            case .EACCES, .EPERM: problem("this user may not read the file", "change who may")
            case .EFBIG: problem("the file has more than \(largest >> 20) MiB", "name a configuration")
            default: problem("the file cannot be read: \(error.code)", "name another one")
            }
        }
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw problem("the file is no text in UTF-8", "save it as UTF-8", at: Place(behind: beginning(of: bytes)))
        }
        return text.unicodeScalars.first == "\u{FEFF}" ? String(text.unicodeScalars.dropFirst()) : text
    }

    /// All there is until its end: the size of a pipe is not known before.
    private static func read(_ file: String) throws(POSIXError) -> Data {
        let descriptor = open(file, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw lastError }
        defer { close(descriptor) }
        var bytes = Data()
        var part = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = Foundation.read(descriptor, &part, part.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw lastError }
            guard count > 0 else { return bytes }
            bytes.append(contentsOf: part.prefix(count))
            guard bytes.count <= largest else { throw POSIXError(.EFBIG) }
        }
    }

    /// What is text, up to the first byte that is none.
    private static func beginning(of bytes: Data) -> String {
        var text = String.UnicodeScalarView()
        var decoder = UTF8()
        var rest = bytes.makeIterator()
        while case .scalarValue(let scalar) = decoder.decode(&rest) { text.append(scalar) }
        return String(text)
    }

    private static var lastError: POSIXError { POSIXError(POSIXErrorCode(rawValue: errno) ?? .EIO) }
}
