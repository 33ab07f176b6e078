import Freshet
import NIOCore
import RESP

/// The options of SET that the embedded store has.
enum UpstashSetOptions {
    /// The farthest that an expiry may be; some 35,000 years.
    private static let maxMilliseconds: Int64 = 1 << 50

    static func read(_ arguments: ArraySlice<ByteBuffer>) throws -> CacheOptions {
        var options = CacheOptions()
        var rest = arguments
        while let word = rest.popFirst() {
            let isUntouched = options.expiry == .never
            switch String(buffer: word).uppercased() {
            case "NX" where options.condition != .ifPresent: options.condition = .ifMissing
            case "XX" where options.condition != .ifMissing: options.condition = .ifPresent
            case "KEEPTTL" where isUntouched: options.expiry = .keep
            case "EX" where isUntouched: options.expiry = try expiry(seconds: next(&rest), of: "set")
            case "PX" where isUntouched: options.expiry = try expiry(milliseconds: next(&rest), of: "set")
            case "GET", "EXAT", "PXAT":
                throw RESPError("ERR memory:// has no option \(String(buffer: word).uppercased()) of SET")
            default: throw RESPError("ERR syntax error")
            }
        }
        return options
    }

    private static func next(_ rest: inout ArraySlice<ByteBuffer>) throws -> ByteBuffer {
        guard let value = rest.popFirst() else { throw RESPError("ERR syntax error") }
        return value
    }

    static func expiry(seconds: ByteBuffer, of command: String) throws -> CacheOptions.Expiry {
        .after(try positive(duration(seconds: seconds, of: command), of: command))
    }

    static func expiry(milliseconds: ByteBuffer, of command: String) throws -> CacheOptions.Expiry {
        .after(try positive(duration(milliseconds: milliseconds, of: command), of: command))
    }

    static func duration(seconds: ByteBuffer, of command: String) throws -> Duration {
        let seconds = try UpstashMemoryCommands.integer(seconds)
        guard abs(seconds.clamped) <= maxMilliseconds / 1000 else { throw invalid(command) }
        return .seconds(seconds)
    }

    static func duration(milliseconds: ByteBuffer, of command: String) throws -> Duration {
        let milliseconds = try UpstashMemoryCommands.integer(milliseconds)
        guard abs(milliseconds.clamped) <= maxMilliseconds else { throw invalid(command) }
        return .milliseconds(milliseconds)
    }

    private static func positive(_ time: Duration, of command: String) throws -> Duration {
        guard time > .zero else { throw invalid(command) }
        return time
    }

    private static func invalid(_ command: String) -> RESPError {
        RESPError("ERR invalid expire time in '\(command)' command")
    }
}

extension Int64 {
    /// Has an absolute value.
    fileprivate var clamped: Int64 { Swift.max(self, -Int64.max) }
}
