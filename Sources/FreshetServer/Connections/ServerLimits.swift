package import HTTPTypes
import HummingbirdCore
package import NIOCore
import NIOHTTP1

/// What one client, or all together, may ask of the service.
package struct ServerLimits: Sendable {
    /// Further requests get 503.
    package var maxConcurrentRequests = 16_384
    /// Further ones wait to be taken.
    package var maxConnections = OpenFiles.connections
    /// Target and header fields of one request together; more get 431, and the connection is closed.
    package var maxHeaderBytes = 32 * 1024
    package var maxHeaderFields = 200
    /// No route needs a body; what exceeds this gets 413, and the connection is closed.
    package var maxBodyBytes = 64 * 1024
    /// How long a client may take to send a whole request, and to begin the next one on an open connection.
    package var requestTimeout = TimeAmount.seconds(30)
    /// How long a client may leave its answer unread.
    package var writeTimeout = TimeAmount.seconds(30)
    /// How long each answer to a client that has closed its side of the connection may take to come: nothing tells
    /// whether it still reads the other.
    package var lastAnswerTime = TimeAmount.milliseconds(250)
    /// How long requests, loads and answers may go on once the service is told to stop.
    package var drainTime = TimeAmount.seconds(20)
    /// How long a request that has begun to come may take to end then, and how long one that is refused may pause before
    /// its connection is closed.
    package var lastRequestTime = TimeAmount.seconds(2)

    /// What a 400 says of what cannot be read as HTTP, and such a 431 and 413, where it is not ``ErrorResponse``'s words.
    package var ownRefusalOfSyntax: ByteBuffer?
    package var ownRefusalOfHead: ByteBuffer?
    package var ownRefusalOfBody: ByteBuffer?
    /// The answer to what has none when the time to drain is over, where it is not a 503.
    package var ownRefusalOfRest: Refusal?
    /// Further header fields of all these, by the request's `Origin` if it is known.
    package var refusalFields: (@Sendable (String?) -> HTTPFields)?

    package init() {}

    /// An answer in JSON that ends the connection.
    package struct Refusal: Sendable {
        package var status: HTTPResponse.Status
        package var body: ByteBuffer

        package init(_ status: HTTPResponse.Status, _ body: ByteBuffer) {
            self.status = status
            self.body = body
        }
    }
}

extension ServerLimits {
    func refusal(ofHead error: HTTPParserError) -> Refusal {
        if case .headerOverflow = error { refusalOfLongHead } else { refusalOfSyntax }
    }

    /// What a request must have; which of it lacks is not known.
    static let syntax =
        "a request needs a method of HTTP, one Host, fields without control characters, and a target in ASCII, else as %XX; "
        + "its Transfer-Encoding may only be chunked"

    private var refusalOfSyntax: Refusal {
        Refusal(.badRequest, ownRefusalOfSyntax ?? ErrorResponse.body("Bad request", Self.syntax))
    }

    private var refusalOfLongHead: Refusal {
        Refusal(
            .requestHeaderFieldsTooLarge,
            ownRefusalOfHead
                ?? ErrorResponse.body(
                    "Request header fields too large",
                    "a request may have \(maxHeaderFields) header fields, of \(maxHeaderBytes) bytes with its target"
                )
        )
    }

    var refusalOfBody: Refusal {
        Refusal(
            .contentTooLarge,
            ownRefusalOfBody
                ?? ErrorResponse.body("Content too large", "a request may have a body of \(maxBodyBytes) bytes")
        )
    }

    var refusalOfRest: Refusal {
        ownRefusalOfRest
            ?? Refusal(
                .serviceUnavailable,
                ErrorResponse.body("Shutting down", "the service ends, and has given the request up")
            )
    }

    /// Of connections that have these limits.
    var channelConfiguration: HTTP1Channel.Configuration {
        HTTP1Channel.Configuration(
            additionalChannelHandlers: [ConnectionLimits(limits: self)],
            httpDecoderConfiguration: .init(
                maxHeaderFieldSize: maxHeaderBytes,
                maxHeaderListSize: maxHeaderBytes,
                maxHeaderFieldCount: maxHeaderFields
            )
        )
    }
}
