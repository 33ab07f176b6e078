import Freshet
import FreshetAirtable
import FreshetSources
package import Logging

extension Configuration {
    /// Looks at the Airtable tables of the fields, and says what their readers may not expect: a column that the
    /// record's id hides, attachment links that end before the field does.
    ///
    /// Two requests a table, one more for each further view; ten seconds a field at most. Whatever else reads the bases
    /// has half of what Airtable allows meanwhile, and all of it afterwards.
    ///
    /// - Parameter origin: the file the fields are of.
    package func inspectTables(origin: String, logger: Logger) async -> TableFindings {
        let limiters = BaseLimiters(interval: .milliseconds(430))
        guard let client = try? SourceFactory(configuration: self, limiters: limiters, logger: logger).airtable else {
            return TableFindings()
        }
        var inspector = TableInspector(client: client, origin: origin)
        for field in fields { await inspector.inspect(field) }
        await inspector.leave()
        return inspector.findings
    }
}

/// What the sources of fields are like.
package struct TableFindings: Sendable {
    /// What fails until somebody corrects it.
    package var problems: [ConfigurationProblem] = []
    /// What readers may not expect, and what could not be looked at for now.
    package var warnings: [ConfigurationProblem] = []

    package init() {}
}

/// Asks no table twice.
private struct TableInspector {
    private struct Table: Hashable {
        let base: String
        let name: String
    }

    /// In which Airtable counts requests.
    private static let window = Duration.seconds(1)

    let client: AirtableClient
    let origin: String
    private(set) var findings = TableFindings()
    private var inspections: [SourceSettings: Result<AirtableSource.Inspection, any Error>] = [:]
    private var haveIDColumn: [Table: Bool] = [:]

    init(client: AirtableClient, origin: String) {
        self.client = client
        self.origin = origin
    }

    mutating func inspect(_ field: FieldSettings) async {
        guard case .airtable(let base, let table, let view) = field.source else { return }
        let query = AirtableQuery(view: view)
        if inspections[field.source] == nil {
            inspections[field.source] = await inspect(Table(base: base, name: table), query)
        }
        switch inspections[field.source] {
        case .success(let inspection)?: warn(of: inspection, field)
        case .failure(let error)?: report(error, field)
        case nil: break
        }
    }

    /// Waits until what was asked here counts no longer.
    func leave() async {
        if !inspections.isEmpty { try? await Task.sleep(for: Self.window) }
    }

    private mutating func inspect(
        _ table: Table,
        _ query: AirtableQuery
    ) async -> Result<AirtableSource.Inspection, any Error> {
        let hasIDColumn = haveIDColumn[table]
        do {
            let source = try AirtableSource(client: client, base: table.base, table: table.name, query: query)
            let inspection = try await withDeadline(
                .seconds(10),
                on: SystemSpawner(),
                orThrow: CacheError(.sourceTimedOut, "Airtable did not answer within ten seconds")
            ) { try await source.inspect(hasIDColumn: hasIDColumn) }
            haveIDColumn[table] = inspection.hasIDColumn
            return .success(inspection)
        } catch {
            return .failure(error)
        }
    }

    private mutating func report(_ error: any Error, _ field: FieldSettings) {
        let error = error as? CacheError
        let problem = problem(
            field,
            "the table of field '\(field.name)' cannot be looked at: \(error?.message ?? "an internal error")",
            "check base, table, view and token"
        )
        if error?.underlying is AirtableMistake {
            findings.problems.append(problem)
        } else {
            findings.warnings.append(problem)
        }
    }

    private mutating func warn(of inspection: AirtableSource.Inspection, _ field: FieldSettings) {
        if inspection.hasIDColumn {
            findings.warnings.append(
                problem(
                    field,
                    "the table of field '\(field.name)' has a column named 'id', which the record's id hides",
                    "rename the column if readers need it"
                )
            )
        }
        let life = field.policy.ttl + field.policy.staleWindow
        let attachments = inspection.attachmentColumns.filter { field.transform?.tells($0) ?? true }
        if !attachments.isEmpty, life > ContentDigest.linkLifetime {
            let columns = attachments.map { "'\($0)'" }.joined(separator: ", ")
            findings.warnings.append(
                problem(
                    field,
                    "field '\(field.name)' serves attachment links (\(columns)) beyond the two hours that they work",
                    "keep ttl and stale windows together under 2h, or select other columns"
                )
            )
        }
    }

    private func problem(_ field: FieldSettings, _ message: String, _ advice: String) -> ConfigurationProblem {
        ConfigurationProblem(origin, at: field.sourcePlace, message, advice)
    }
}
