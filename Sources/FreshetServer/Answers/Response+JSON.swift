import HTTPTypes
import Hummingbird
import NIOCore

/// What answers are in.
enum ContentType {
    static let json = "application/json; charset=utf-8"
}

extension Response {
    /// An answer that no cache keeps.
    static func json(_ status: HTTPResponse.Status, _ body: ByteBuffer) -> Response {
        Response(
            status: status,
            headers: [.contentType: ContentType.json, .cacheControl: "no-store"],
            body: ResponseBody(byteBuffer: body)
        )
    }
}
