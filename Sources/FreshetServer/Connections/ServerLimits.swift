import HummingbirdCore
package import NIOCore

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

    /// What such a 431 and 413 say, where it is not ``ErrorResponse``'s words.
    package var ownRefusalOfHead: ByteBuffer?
    package var ownRefusalOfBody: ByteBuffer?

    package init() {}
}

extension ServerLimits {
    /// As JSON.
    var refusalOfHead: ByteBuffer {
        ownRefusalOfHead
            ?? ErrorResponse.body(
                "Request header fields too large",
                "a request may have \(maxHeaderFields) header fields, of \(maxHeaderBytes) bytes with its target"
            )
    }

    /// As JSON.
    var refusalOfBody: ByteBuffer {
        ownRefusalOfBody
            ?? ErrorResponse.body("Content too large", "a request may have a body of \(maxBodyBytes) bytes")
    }

    var decoderConfiguration: HTTP1Channel.Configuration.DecoderConfiguration {
        HTTP1Channel.Configuration.DecoderConfiguration(
            maxHeaderFieldSize: maxHeaderBytes,
            maxHeaderListSize: maxHeaderBytes,
            maxHeaderFieldCount: maxHeaderFields
        )
    }
}
