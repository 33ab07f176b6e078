import Freshet
import HTTPTypes
import Hummingbird

/// What the routes of one field do.
final class FieldEndpoint: Sendable {
    private let field: AnyField
    private let cache: FieldCache
    private let access: AccessPolicy
    private let answers: FieldAnswers

    init(_ field: AnyField, cache: FieldCache, access: AccessPolicy) {
        self.field = field
        self.cache = cache
        self.access = access
        answers = FieldAnswers(policy: field.policy)
    }

    /// GET and HEAD.
    func read(_ request: Request) async -> Response {
        if let refusal = access.refusalToRead(request) { return refusal }
        var action = "load"
        do {
            let parameters = try FieldParameters(request.uri.query, of: .read)
            if parameters.forceRefresh {
                if let refusal = access.refusalToAdminister(request) { return refusal }
                action = "refresh"
            }
            let reading = try await cache.read(
                field,
                forceRefresh: parameters.forceRefresh,
                maxAge: parameters.maxAge
            )
            return await answers.answer(
                reading,
                maxAge: parameters.maxAge,
                ifNoneMatch: request.headers[.ifNoneMatch],
                acceptEncoding: request.headers[.acceptEncoding]
            )
        } catch {
            return ErrorResponse.make(error, action, field: field.name)
        }
    }

    /// POST …/refresh, with `?purge=true` to remove the old value first.
    func refresh(_ request: Request) async -> Response {
        if let refusal = access.refusalToAdminister(request) { return refusal }
        do {
            let purges = try FieldParameters(request.uri.query, of: .refresh).purges
            let reading = try await cache.refresh(field, purge: purges)
            return await answers.answer(
                reading,
                ifNoneMatch: nil,
                acceptEncoding: request.headers[.acceptEncoding]
            )
        } catch {
            return ErrorResponse.make(error, "refresh", field: field.name)
        }
    }

    /// DELETE: removes, or expires with `?soft=true`.
    func invalidate(_ request: Request) async -> Response {
        if let refusal = access.refusalToAdminister(request) { return refusal }
        var action = "remove"
        do {
            let isSoft = try FieldParameters(request.uri.query, of: .invalidation).isSoft
            if isSoft { action = "expire" }
            let outcome = isSoft ? try await cache.expire(field) : try await cache.remove(field)
            return Response(status: outcome == .done ? .noContent : .accepted)
        } catch {
            return ErrorResponse.make(error, action, field: field.name)
        }
    }

    /// GET …/explain: why the last reads and loads did what they did on this node.
    func explain(_ request: Request) async -> Response {
        if let refusal = access.refusalToAdminister(request) { return refusal }
        do {
            return .json(.ok, try StoredJSON.encode(await Explanation(of: field, in: cache)))
        } catch {
            return ErrorResponse.make(error, "explain", field: field.name)
        }
    }
}
