import Freshet
import FreshetAirtable
import FreshetSources
package import Logging

extension Configuration {
    /// Looks at the Airtable tables of the fields, and says what their readers may not expect: a column that the
    /// record's id hides, attachment links that end before the field does.
    ///
    /// Two requests a field, ten seconds a field at most. A table that cannot be looked at is a warning of its own.
    ///
    /// - Parameter origin: the file the fields are of.
    package func inspectSources(origin: String, logger: Logger) async -> [ConfigurationProblem] {
        guard let client = try? SourceFactory(configuration: self, logger: logger).airtable else { return [] }
        var warnings: [ConfigurationProblem] = []
        for field in fields {
            guard case .airtable(let base, let table, let view) = field.source else { continue }
            do {
                let source = try AirtableSource(
                    client: client,
                    base: base,
                    table: table,
                    query: AirtableQuery(view: view)
                )
                let inspection = try await withDeadline(
                    .seconds(10),
                    on: SystemSpawner(),
                    orThrow: CacheError(.sourceTimedOut, "Airtable did not answer within ten seconds")
                ) { try await source.inspect() }
                warnings += field.warnings(on: inspection, origin: origin)
            } catch {
                let message = (error as? CacheError)?.message ?? "\(type(of: error))"
                warnings.append(
                    ConfigurationProblem(
                        origin: origin,
                        message: "the table of field '\(field.name)' cannot be looked at: \(message)",
                        advice: "check base, table, view and token"
                    )
                )
            }
        }
        return warnings
    }
}

extension FieldSettings {
    /// Airtable's attachment links end two hours after they were read.
    private static var attachmentLife: Duration { .seconds(2 * 3600) }

    fileprivate func warnings(on inspection: AirtableSource.Inspection, origin: String) -> [ConfigurationProblem] {
        var warnings: [ConfigurationProblem] = []
        if inspection.hasIDColumn {
            warnings.append(
                ConfigurationProblem(
                    origin: origin,
                    message: "the table of field '\(name)' has a column named 'id', which the record's id hides",
                    advice: "rename the column if readers need it"
                )
            )
        }
        let life = policy.ttl + max(policy.staleWhileRevalidate, policy.staleIfError)
        let attachments = inspection.attachmentColumns.filter { transform?.tells($0) ?? true }
        if !attachments.isEmpty, life > Self.attachmentLife {
            let columns = attachments.map { "'\($0)'" }.joined(separator: ", ")
            warnings.append(
                ConfigurationProblem(
                    origin: origin,
                    message: "field '\(name)' serves attachment links (\(columns)) beyond the two hours that they work",
                    advice: "keep ttl and stale windows together under 2h, or select other columns"
                )
            )
        }
        return warnings
    }
}
