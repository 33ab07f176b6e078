import Foundation
import Freshet
import Hummingbird
import NIOConcurrencyHelpers
import NIOCore
import ServiceLifecycle

extension AirtableStandIn {
    /// Answers a request, or breaks it as the faults say.
    func respond(to request: Request) async throws -> Response {
        let isPost = request.method == .post
        state.withLockedValue { state in
            state.statistics.requests += 1
            if isPost { state.statistics.posts += 1 }
        }
        do {
            return try await answer(request)
        } catch let error as StandInError {
            return response(status: error.status, json: error.json)
        }
    }

    private func answer(_ request: Request) async throws -> Response {
        guard request.uri.string.utf8.count <= configuration.maxURLLength else { throw StandInError.tooLong }
        let (base, table) = try target(of: request)
        let now = spawner.now()
        let token = request.headers[.authorization].flatMap { $0.hasPrefix("Bearer ") ? String($0.dropFirst(7)) : nil }
        if let refusal = state.withLockedValue({ $0.admit(base: base, token: token, at: now) }) { throw refusal }

        let fault = state.withLockedValue { $0.takeFault() }
        try await strikeBefore(fault, base: base)
        let list = try await listRequest(from: request)
        let page = try state.withLockedValue { state in
            try state.page(base: base, table: table, list, at: spawner.now())
        }
        return try response(to: fault, page: page, offset: list.offset)
    }

    /// `/v0/{base}/{table}`, with `/listRecords` for POST.
    private func target(of request: Request) throws -> (base: String, table: String) {
        let parts = request.uri.path.split(separator: "/").map { $0.removingPercentEncoding ?? "" }
        switch (request.method, parts.count) {
        case (.get, 3) where parts[0] == "v0": return (parts[1], parts[2])
        case (.post, 4) where parts[0] == "v0" && parts[3] == "listRecords": return (parts[1], parts[2])
        default: throw StandInError.notFound
        }
    }

    private func listRequest(from request: Request) async throws -> ListRequest {
        let query = (request.uri.query ?? "").split(separator: "&").map { pair in
            let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            return (name: parts[0].decodedFromQuery, value: parts.count == 2 ? parts[1].decodedFromQuery : "")
        }
        guard request.method == .post else { return try ListRequest(query: query) }
        var body = ByteBuffer()
        for try await var part in request.body {
            guard body.readableBytes + part.readableBytes <= configuration.maxBodySize else {
                throw StandInError.tooLarge
            }
            body.writeBuffer(&part)
        }
        guard let json = try? StoredJSON.decode(JSONValue.self, from: body) else {
            throw StandInError.invalidRequest("Could not parse the request body")
        }
        return try ListRequest(body: json, query: query)
    }

    private func strikeBefore(_ fault: Fault?, base: String) async throws {
        switch fault {
        case .status(let status): throw StandInError.ofStatus(status)
        case .iteratorGone: throw StandInError.iteratorGone
        case .rateLimit:
            state.withLockedValue { $0.lock(base: base, at: spawner.now()) }
            throw StandInError.rateLimited
        case .delay(let time): try await spawner.sleep(for: time)
        case .hang: try await Self.hang()
        case .cut, .stall, .html, .garbage, .truncated, .wrongTypes, .circle, nil: return
        }
    }

    private static func hang() async throws {
        try await cancelWhenGracefulShutdown { try await Task.sleep(for: .seconds(86_400)) }
    }

    private func response(to fault: Fault?, page: JSONValue, offset: String?) throws -> Response {
        switch fault {
        case .html: return response(status: 200, json: nil)
        case .garbage: return response(status: 200, type: "application/json", ByteBuffer(string: "\u{1}]{\u{2}"))
        case .wrongTypes: return response(status: 200, json: ["records": ["id": 7], "offset": 3])
        case .circle: return response(status: 200, json: ["records": [], "offset": .string(offset ?? "")])
        case .truncated:
            let whole = try StoredJSON.encode(page)
            let half = whole.getSlice(at: whole.readerIndex, length: whole.readableBytes / 2) ?? ByteBuffer()
            return response(status: 200, type: "application/json", half)
        case .cut, .stall:
            let whole = try StoredJSON.encode(page)
            let half = whole.getSlice(at: whole.readerIndex, length: whole.readableBytes / 2) ?? ByteBuffer()
            count(status: 200, bytes: half.readableBytes)
            return Response(
                status: .ok,
                headers: [.contentType: "application/json; charset=utf-8"],
                body: ResponseBody(contentLength: whole.readableBytes) { writer in
                    try await writer.write(half)
                    if fault == .stall { try await Self.hang() }
                    throw CancellationError()
                }
            )
        default: return response(status: 200, json: page)
        }
    }

    /// - Parameter json: the body; nil sends a web page.
    private func response(status: Int, json: JSONValue?) -> Response {
        guard let body = json.flatMap({ try? StoredJSON.encode($0) }) else {
            let page = "<!DOCTYPE html><html><head><title>\(status)</title></head><body>Airtable</body></html>"
            return response(status: status, type: "text/html", ByteBuffer(string: page))
        }
        return response(status: status, type: "application/json; charset=utf-8", body)
    }

    private func response(status: Int, type: String, _ body: ByteBuffer) -> Response {
        count(status: status, bytes: body.readableBytes)
        return Response(
            status: HTTPResponse.Status(code: status),
            headers: [.contentType: type],
            body: ResponseBody(byteBuffer: body)
        )
    }

    private func count(status: Int, bytes: Int) {
        state.withLockedValue { state in
            state.statistics.statuses[status, default: 0] += 1
            state.statistics.bytes += bytes
        }
    }
}

extension Substring {
    /// Forms write a space as a plus sign.
    fileprivate var decodedFromQuery: String {
        let text = replacing("+", with: " ")
        return text.removingPercentEncoding ?? String(text)
    }
}
