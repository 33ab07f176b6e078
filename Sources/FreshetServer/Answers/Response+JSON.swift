import HTTPTypes
import Hummingbird
import NIOCore

extension Response {
    /// An answer that no cache keeps.
    static func json(_ status: HTTPResponse.Status, _ body: ByteBuffer) -> Response {
        Response(
            status: status,
            headers: [.contentType: ErrorResponse.contentType, .cacheControl: "no-store"],
            body: ResponseBody(byteBuffer: body)
        )
    }
}
