import HTTPTypes
import NIOCore
import RESP

/// An answer without a result, in the words of the service.
struct UpstashRefusal: Error, Sendable, Hashable {
    var status: HTTPResponse.Status
    var text: String
    /// The request may be sent again, soon.
    var isTransient = false

    init(_ status: HTTPResponse.Status, _ text: String) {
        self.status = status
        self.text = text
    }

    static let unauthorized = Self(
        .unauthorized,
        "WRONGPASS invalid or missing auth token. "
            + "See https://docs.upstash.com/redis/troubleshooting/http_unauthorized for details."
    )
    static let brokenOff = Self("ERR the request broke off before its end")
    static let emptyBody = Self("EOF")
    static let noArray = Self("expected JSON array")
    static let emptyCommand = Self("ERR empty command")
    static let emptyPipeline = Self("ERR empty pipeline request")
    static let emptyPipelineCommand = Self("ERR empty pipeline command")
    static let nullArgument = Self("ERR null args are not supported")
    static let arrayArgument = Self("ERR unsupported arg type: \"[\": json.Delim")
    static let objectArgument = Self("ERR unsupported arg type: \"{\": json.Delim")

    static func invalidJSON(_ what: String, at offset: Int) -> Self {
        Self("ERR invalid JSON: \(what) at byte \(offset)")
    }

    static func notAvailable(_ name: String) -> Self {
        Self(
            "ERR Command is not available: '\(shown(name))'. "
                + "See https://upstash.com/docs/redis/overall/rediscompatibility for details"
        )
    }

    static func notInREST(_ name: String) -> Self {
        Self("ERR Command \"\(shown(name))\" is not allowed in REST or it has a special context path")
    }

    static func noPermission(_ name: String) -> Self {
        Self(
            "NOPERM this user has no permissions to run the '\(shown(name).lowercased())' command or its subcommand"
        )
    }

    static let tooManyRepetitions = Self(
        "NOPERM this user may read the same \(UpstashRepetitions.limit) times at once, or draw "
            + "\(UpstashRepetitions.drawnMembersLimit) members (\(UpstashRepetitions.limit) with values): name each key or "
            + "field once, send less at a time, "
            + "or use the token that may write"
    )

    static func commandTooLarge(limit: Int, actual: Int) -> Self {
        Self(
            .contentTooLarge,
            "ERR max request size exceeded. Limit: \(limit) bytes, Actual: \(actual) bytes"
        )
    }

    static func requestTooLarge(limit: Int) -> Self {
        Self(.contentTooLarge, "ERR max request size exceeded. Limit: \(limit) bytes")
    }

    static func headTooLarge(limit: Int) -> Self {
        Self(
            .requestHeaderFieldsTooLarge,
            "ERR max size of URL and headers exceeded. Limit: \(limit) bytes; send what is longer in the body"
        )
    }

    static let answersTooLarge = unavailable("the answers under way are too large; commands were run", .badGateway)

    /// - Parameter status: 503 where nothing was done, 502 and 504 where it may have been.
    static func unavailable(_ why: String, _ status: HTTPResponse.Status = .serviceUnavailable) -> Self {
        var refusal = Self(status, "ERR \(why)")
        refusal.isTransient = status == .serviceUnavailable
        return refusal
    }

    /// What a client sent is repeated only as far as a name may be long.
    private static func shown(_ name: String) -> String { String(decoding: name.utf8.prefix(64), as: UTF8.self) }

    /// `{"error":"…"}`, or as the format has it.
    func body(_ format: UpstashAnswerFormat = .json) -> ByteBuffer {
        var writer = UpstashAnswerWriter(format)
        writer.write(.error(RESPError(text)))
        return writer.buffer
    }
}

extension UpstashRefusal {
    init(_ text: String) { self.init(.badRequest, text) }

    /// What a server answered in place of everything that was asked for.
    init(_ error: RESPError) {
        self.init(error.serviceStatus(), error.serviceText())
        isTransient = status == .serviceUnavailable
    }

    /// Others beside the command can be run.
    var isOfOneCommand: Bool {
        [.emptyCommand, .nullArgument, .arrayArgument, .objectArgument].contains(self)
    }

    /// Commands may have been run for it.
    var mayHaveRun: Bool { status == .badGateway || status == .gatewayTimeout }

    /// The same where something had been run before.
    var afterwards: Self {
        guard status == .serviceUnavailable else { return self }
        return .unavailable("a part was run; then: \(text)", .badGateway)
    }
}
