import Freshet
import FreshetAirtable
import FreshetSources
import Logging

/// Makes fields of their settings. All fields of a base share one client, and so one limiter.
struct SourceFactory {
    var airtable: AirtableClient?

    /// - Parameter limiters: who paces Airtable.
    init(configuration: Configuration, limiters: BaseLimiters = .shared, logger: Logger) throws {
        airtable = try configuration.airtable.token.map { token in
            try AirtableClient(
                token: token,
                endpoint: configuration.airtable.endpoint ?? AirtableClient.defaultEndpoint,
                limiters: limiters,
                logger: logger
            )
        }
    }

    func field(_ settings: FieldSettings) throws -> Field<JSONValue> {
        let source = try source(settings.source, within: settings.policy.hardDeadline)
        let transform = settings.transform
        // The stored validator speaks of the source; the stored value is what these settings made of it.
        let mark = settings.fingerprint + ":"
        return Field(settings.name, key: settings.key, policy: settings.policy) { context in
            var context = context
            context.etag = context.etag.flatMap { $0.hasPrefix(mark) ? String($0.dropFirst(mark.count)) : nil }
            let result = try await source.load(context)
            guard case .value(let value, var details) = result else { return result }
            details.etag = details.etag.map { mark + $0 }
            return .value(try transform?.apply(value) ?? value, details)
        }
    }

    private func source(_ settings: SourceSettings, within limit: Duration) throws -> any FieldSource {
        switch settings {
        case .airtable(let base, let table, let view):
            guard let airtable else { throw CacheError(.configuration, "AIRTABLE_TOKEN is not set") }
            return try AirtableSource(client: airtable, base: base, table: table, query: AirtableQuery(view: view))
        case .http(let url, let headers):
            var configuration = HTTPSource.Configuration()
            configuration.timeout = limit
            return try HTTPSource(url: url, headers: headers, configuration: configuration)
        case .file(let path):
            return try FileSource(path: path)
        }
    }
}
