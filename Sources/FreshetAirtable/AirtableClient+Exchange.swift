import AsyncHTTPClient
import Freshet
import HTTPAsking
import NIOCore
import NIOHTTP1

extension AirtableClient {
    /// One request and what came of it.
    ///
    /// - Throws: ``PageFailure`` or `CancellationError`.
    func send(_ list: AirtableList, offset: String?) async throws -> AirtablePage {
        let answer: Answer
        do {
            // The client's own timeout ends with the head of the answer.
            answer = try await withDeadline(
                configuration.requestTimeout,
                on: SystemSpawner(),
                orThrow: CacheError(.sourceTimedOut, "Airtable did not answer for \(list.name) in time")
            ) { try await exchange(list.request(offset: offset)) }
        } catch let error as CacheError {
            throw PageFailure.transient(error)
        } catch {
            if Task.isCancelled || error is CancellationError { throw CancellationError() }
            throw transportFailure(error, list)
        }
        switch answer {
        case .page(let type, let body):
            limiter.answered(token: token)
            return try page(type, body, list)
        case .refusal(let response): throw await refuse(response, list)
        }
    }

    private func page(_ type: String, _ body: ByteBuffer?, _ list: AirtableList) throws -> AirtablePage {
        guard let body else {
            throw PageFailure.final(
                CacheError(.sourceFailed, "a page of \(list.name) is larger than \(configuration.maxPageSize) bytes")
            )
        }
        guard type == "application/json" || type.hasSuffix("+json") else {
            let said = type.isEmpty ? "no content type" : type.hiding(token).printable(100)
            throw PageFailure.final(
                CacheError(.sourceFailed, "Airtable answered for \(list.name) with \(said), not with JSON")
            )
        }
        do {
            return try AirtablePage(StoredJSON.decode(JSONValue.self, from: body, inAnyUnicode: true))
        } catch {
            throw PageFailure.final(
                CacheError(.sourceFailed, "Airtable's answer for \(list.name) is cut off or no page", underlying: error)
            )
        }
    }

    /// Closes the base if the refusal says so.
    private func refuse(_ response: HTTPClientResponse, _ list: AirtableList) async -> PageFailure {
        // The status decides, whatever becomes of the body.
        let body = try? await withDeadline(
            min(Self.patienceWithRefusals, configuration.requestTimeout),
            on: SystemSpawner(),
            orThrow: CacheError(.sourceTimedOut, "a refusal of Airtable is cut off")
        ) { try await response.body.collect(upTo: 1 << 16) }
        let refusal = AirtableRefusal(status: Int(response.status.code), body: body, list: list, token: token)
        switch refusal.kind {
        case .rateLimit:
            limiter.close(list.base, token: token, for: limiters.closure, because: .rateLimit)
            await closeSharedPace(list.base)
        case .quota: limiter.close(list.base, token: token, for: limiters.quotaClosure, because: .quota)
        case .iteratorGone, .unknownColumn, .transient, .final: break
        }
        return refusal.failure(rateLimit: limiters.closure, quota: limiters.quotaClosure)
    }

    private static let patienceWithRefusals = Duration.seconds(2)

    private enum Answer {
        /// Its body is nil if it is too large.
        case page(type: String, body: ByteBuffer?)
        /// Its body is still to come.
        case refusal(HTTPClientResponse)
    }

    private func exchange(_ call: AirtableList.Call) async throws -> Answer {
        var request = HTTPClientRequest(url: call.url)
        request.headers.add(name: "authorization", value: "Bearer \(token)")
        request.headers.add(name: "accept", value: "application/json")
        if let coding = HTTPAsking.acceptEncoding(for: httpClient) {
            request.headers.add(name: "accept-encoding", value: coding)
        }
        request.headers.add(name: "user-agent", value: "freshet")
        if let body = call.body {
            request.method = .POST
            request.headers.add(name: "content-type", value: "application/json")
            request.body = .bytes(body)
        }
        let timeout = TimeAmount.nanoseconds(configuration.requestTimeout.clampedNanoseconds)
        // Without a logger: the client would tell it all that comes.
        let response = try await httpClient.execute(request, timeout: timeout)
        guard response.status == .ok else { return .refusal(response) }
        let type = HTTPAsking.mediaType(response.headers)
        do {
            return .page(type: type, body: try await response.body.collect(upTo: configuration.maxPageSize))
        } catch is NIOTooManyBytesError {
            return .page(type: type, body: nil)
        }
    }

    private func transportFailure(_ error: any Error, _ list: AirtableList) -> PageFailure {
        guard HTTPAsking.isTimeout(error) else {
            return .transient(
                CacheError(
                    .sourceFailed,
                    "asking Airtable for \(list.name) failed: \(HTTPAsking.reason(error))",
                    underlying: error
                )
            )
        }
        return .transient(
            CacheError(.sourceTimedOut, "Airtable did not answer for \(list.name) in time", underlying: error)
        )
    }
}

/// Why there is no page, by what can be done about it.
enum PageFailure: Error {
    /// Ask again.
    case transient(CacheError)
    /// Start over.
    case iteratorGone(CacheError)
    /// The query names a column that is not there.
    case unknownColumn(CacheError)
    /// Nothing.
    case final(CacheError)

    var error: CacheError {
        switch self {
        case .transient(let error), .iteratorGone(let error), .unknownColumn(let error), .final(let error): error
        }
    }
}
