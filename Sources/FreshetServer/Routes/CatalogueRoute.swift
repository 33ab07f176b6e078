import Freshet
import HTTPTypes
import Hummingbird
import NIOCore

/// `GET /api/fields`: every field with its policy and state. Never asks a source.
struct CatalogueRoute: Sendable {
    /// How many fields the store is asked about at once.
    static let width = 16

    let cache: FieldCache
    let access: AccessPolicy
    /// Further paths, by name.
    let paths: [String: String]

    func respond(to request: Request) async -> Response {
        if let refusal = access.refusalToRead(request) { return refusal }
        let entries = await cache.catalog.fields.mapConcurrently(width: Self.width) { [self] field in
            var entry = CatalogueEntry(field, await cache.state(of: field), route: paths[field.name])
            entry.advice = cache.advice(for: field).map(\.text)
            return entry
        }
        do {
            let body = try StoredJSON.encode(Catalogue(fields: entries, store: cache.isStoreAvailable ? "up" : "down"))
            return .json(.ok, body)
        } catch {
            return ErrorResponse.make(.internalServerError, "Failed to list fields", "\(error)")
        }
    }
}
