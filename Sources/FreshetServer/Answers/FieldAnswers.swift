import Freshet
import HTTPTypes
import Hummingbird
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix

/// The answers of one field. Head and body of a value are made once – the head once a second, since it tells the age –
/// and handed out from then on.
final class FieldAnswers: Sendable {
    private struct Made {
        let etag: String
        var compression = Compression.none
        var plain: Head?
        var compressed: Head?
    }

    private enum Compression {
        case none
        case underway
        /// nil: it does not get smaller.
        case done(ByteBuffer?)
    }

    /// Headers, with what they were made for.
    private struct Head {
        let status: FieldReading.Status
        let detail: FieldReading.Detail?
        let age: Int64
        let timeToLive: Int64
        let headers: HTTPFields
    }

    private let httpMaxAge: Duration
    private let compress: @Sendable (ByteBuffer) -> ByteBuffer?
    private let made = NIOLockedValueBox<Made?>(nil)

    /// - Parameter compress: as ``Gzip/compress(_:)``; tests say what comes of it, and when.
    init(policy: FieldPolicy, compress: @escaping @Sendable (ByteBuffer) -> ByteBuffer? = Gzip.compress) {
        httpMaxAge = policy.httpMaxAge
        self.compress = compress
    }

    /// The answer to a GET or HEAD.
    ///
    /// - Parameters:
    ///   - maxAge: how old a value the client takes.
    ///   - condition: `If-None-Match`.
    func answer(
        _ reading: FieldReading,
        maxAge: Duration? = nil,
        ifNoneMatch condition: String?,
        acceptEncoding: String?
    ) async -> Response {
        let bytes = reading.bytes
        // For how long the client may keep what is fresh.
        let limit = maxAge.map { min(httpMaxAge, $0 - reading.age) } ?? httpMaxAge
        let takesGzip = bytes.readableBytes >= Gzip.smallest && AcceptEncoding.takesGzip(acceptEncoding)
        if let condition, let form = EntityTag.match(condition, reading.etag) {
            // Where nobody has asked for the value yet, the client knows what it was given, here or by another node.
            return notModified(reading, limit, isWeak: takesGzip && isCompressed(reading.etag) ?? (form == .other))
        }
        if takesGzip, let body = await compressed(bytes, etag: reading.etag) {
            return Self.respond(headers(of: reading, limit, length: body.readableBytes, isCompressed: true), body)
        }
        return Self.respond(headers(of: reading, limit, length: bytes.readableBytes, isCompressed: false), bytes)
    }

    private static func respond(_ headers: HTTPFields, _ body: ByteBuffer) -> Response {
        Response(status: .ok, headers: headers, body: ResponseBody(byteBuffer: body))
    }
}

extension FieldAnswers {
    private func headers(
        of reading: FieldReading,
        _ limit: Duration,
        length: Int,
        isCompressed: Bool
    ) -> HTTPFields {
        guard reading.status == .hit || reading.status == .stale, limit == httpMaxAge else {
            return makeHeaders(of: reading, limit, length: length, isCompressed: isCompressed)
        }
        let etag = reading.etag
        let age = reading.age.components.seconds
        let timeToLive = CacheStatus.seconds(reading.timeToLive)
        return made.withLockedValue { made in
            if made?.etag != etag { made = Made(etag: etag) }
            if let head = isCompressed ? made?.compressed : made?.plain, head.age == age, head.timeToLive == timeToLive,
                head.status == reading.status, head.detail == reading.detail
            {
                return head.headers
            }
            let headers = makeHeaders(of: reading, limit, length: length, isCompressed: isCompressed)
            let head = Head(
                status: reading.status,
                detail: reading.detail,
                age: age,
                timeToLive: timeToLive,
                headers: headers
            )
            if isCompressed { made?.compressed = head } else { made?.plain = head }
            return headers
        }
    }

    private func makeHeaders(
        of reading: FieldReading,
        _ limit: Duration,
        length: Int,
        isCompressed: Bool
    ) -> HTTPFields {
        var headers = HTTPFields()
        // Two more: the framework adds Date and Server.
        headers.reserveCapacity(12)
        headers.add(.contentType, ContentType.json)
        headers.add(.contentLength, String(length))
        if isCompressed { headers.append(HTTPField(name: .contentEncoding, value: "gzip")) }
        appendValidators(of: reading, limit, isWeak: isCompressed, to: &headers)
        return headers
    }

    /// What a 200 answer would have said about the stored copy that the client now goes on using.
    private func notModified(_ reading: FieldReading, _ limit: Duration, isWeak: Bool) -> Response {
        var headers = HTTPFields()
        appendValidators(of: reading, limit, isWeak: isWeak, to: &headers)
        var response = Response(status: .notModified, headers: headers)
        // It would say the length of the value, not of this answer, and 0 is neither.
        response.headers[.contentLength] = nil
        return response
    }

    private func appendValidators(
        of reading: FieldReading,
        _ limit: Duration,
        isWeak: Bool,
        to headers: inout HTTPFields
    ) {
        // Weak, since a compressed body is not the same bytes as a plain one.
        headers.add(.eTag, "\(isWeak ? "W/" : "")\"\(reading.etag)\"")
        headers.add(.age, String(reading.age.components.seconds))
        headers.add(.vary, "Accept-Encoding")
        headers.add(.cacheStatus, CacheStatus.header(of: reading))
        switch reading.status {
        case .refreshed:
            headers.add(.cacheControl, "no-cache, no-store, must-revalidate")
            headers.add(.pragma, "no-cache")
            headers.add(.expires, "0")
        case .stale:
            headers.add(.cacheControl, "no-cache")
        case .loaded where !reading.isStored:
            headers.add(.cacheControl, "no-store")
        case .hit, .loaded:
            headers.add(.cacheControl, Self.freshControl(of: reading, limit))
        }
    }

    /// Clients count `max-age` from the load, as `Age` tells it; they get what is left of the freshness at most.
    private static func freshControl(of reading: FieldReading, _ limit: Duration) -> String {
        let left = min(limit, reading.timeToLive).components.seconds
        return left > 0 ? "max-age=\(reading.age.components.seconds + left)" : "no-cache"
    }
}

extension FieldAnswers {
    /// Whether an answer with the value is compressed now, where the client takes that; nil where it is not known.
    private func isCompressed(_ etag: String) -> Bool? {
        made.withLockedValue { made in
            guard let made, made.etag == etag else { return nil }
            return switch made.compression {
            case .none: nil
            case .done(.some): true
            case .underway, .done(nil): false
            }
        }
    }

    /// The value compressed, once: whoever asks while that is under way gets it plain rather than wait.
    private func compressed(_ bytes: ByteBuffer, etag: String) async -> ByteBuffer? {
        let known: Compression = made.withLockedValue { made in
            if made?.etag != etag { made = Made(etag: etag) }
            let known = made?.compression ?? .underway
            if case .none = known { made?.compression = .underway }
            return known
        }
        switch known {
        case .done(let body): return body
        case .underway: return nil
        case .none: break
        }
        // Off the cooperative threads: a large value takes milliseconds.
        let outcome: Compression
        do {
            outcome = .done(try await NIOThreadPool.singleton.runIfActive { [compress] in compress(bytes) })
        } catch {
            // The request was given up: the next one tries again.
            outcome = .none
        }
        made.withLockedValue { made in
            if made?.etag == etag { made?.compression = outcome }
        }
        if case .done(let body) = outcome { return body }
        return nil
    }
}
