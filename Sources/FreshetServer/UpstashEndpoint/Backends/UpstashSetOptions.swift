import Freshet
import NIOCore
import RESP

/// The options of SET that the embedded store has.
enum UpstashSetOptions {
    /// The farthest that an expiry may be: some 285 years, so that the store's clock can tell it.
    private static let maxMilliseconds: Int64 = 9_000_000_000_000

    /// Words first, then values, as Redis does; of a repeated one the last counts.
    static func read(_ arguments: ArraySlice<ByteBuffer>) throws -> CacheOptions {
        var options = CacheOptions()
        var life: (word: String, value: ByteBuffer)?
        var missing: String?
        var rest = arguments
        while let argument = rest.popFirst() {
            let word = String(buffer: argument).uppercased()
            let mayLive = life == nil || life?.word == word
            switch word {
            case "NX" where options.condition != .ifPresent: options.condition = .ifMissing
            case "XX" where options.condition != .ifMissing: options.condition = .ifPresent
            case "KEEPTTL" where mayLive: life = (word, ByteBuffer())
            case "EX" where mayLive, "PX" where mayLive: life = (word, try next(&rest))
            case "EXAT" where mayLive, "PXAT" where mayLive:
                life = (word, try next(&rest))
                missing = word
            case "GET": missing = word
            default: throw RESPError("ERR syntax error")
            }
        }
        if let missing { throw RESPError("ERR memory:// has no option \(missing) of SET") }
        switch life {
        case ("KEEPTTL", _)?: options.expiry = .keep
        case ("EX", let time)?: options.expiry = try expiry(seconds: time, of: "set")
        case ("PX", let time)?: options.expiry = try expiry(milliseconds: time, of: "set")
        default: break
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
        let seconds = try UpstashMemoryCommand.integer(seconds)
        guard (Int64.min / 1000...maxMilliseconds / 1000).contains(seconds) else { throw invalid(command) }
        return .seconds(seconds)
    }

    static func duration(milliseconds: ByteBuffer, of command: String) throws -> Duration {
        let milliseconds = try UpstashMemoryCommand.integer(milliseconds)
        guard milliseconds <= maxMilliseconds else { throw invalid(command) }
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
