public import Freshet

/// The records of a table as the value of a field: an array of `{id, …fields}`.
public struct AirtableSource: FieldSource {
    public let client: AirtableClient
    public let base: String
    public let table: String
    public let query: AirtableQuery

    /// - Throws: `CacheError` with `invalidArgument`.
    public init(client: AirtableClient, base: String, table: String, query: AirtableQuery = AirtableQuery()) throws {
        _ = try AirtableList(endpoint: client.endpoint, base: base, table: table, query: query)
        self.client = client
        self.base = base
        self.table = table
        self.query = query
    }

    public func load(_ context: LoadContext) async throws -> LoadResult<JSONValue> {
        .value(.array(try await client.records(base: base, table: table, query: query).map(\.flattened)))
    }
}

extension AirtableSource {
    /// What somebody who configures a field should know of the table.
    public struct Inspection: Sendable, Hashable {
        /// The table has a column named `id`, which the record's id hides.
        public var hasIDColumn: Bool
        /// Columns with attachments, whose URLs expire two hours after Airtable has sent them: a field that is fresh or
        /// stale for longer serves dead links.
        public var attachmentColumns: [String]
    }

    /// Looks at the table: at its first hundred records for attachments, at its columns for the rest.
    ///
    /// Costs two requests, or one where the cells come under the ids of their columns.
    ///
    /// - Throws: as ``AirtableClient/records(base:table:query:)``.
    public func inspect() async throws -> Inspection {
        try await inspect(hasIDColumn: nil)
    }

    /// - Parameter hasIDColumn: what is known of the table already, which saves a request.
    package func inspect(hasIDColumn: Bool?) async throws -> Inspection {
        var sample = query
        sample.maxRecords = min(query.maxRecords ?? 100, 100)
        let records = try await client.records(base: base, table: table, query: sample)
        let attachments = Set(records.flatMap { $0.fields.filter { $0.value.isAttachments }.keys })
        let isHidden =
            if query.returnFieldsByFieldId || query.fields?.contains("id") == false {
                false
            } else if let hasIDColumn {
                hasIDColumn
            } else {
                try await client.hasColumn("id", base: base, table: table)
            }
        return Inspection(hasIDColumn: isHidden, attachmentColumns: attachments.sorted())
    }
}

extension JSONValue {
    fileprivate var isAttachments: Bool {
        guard let first = array?.first else { return false }
        return first["url"]?.string != nil && first["filename"]?.string != nil
    }
}
