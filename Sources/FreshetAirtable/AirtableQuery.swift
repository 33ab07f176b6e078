import Freshet

/// Which records of a table, which of their cells, and in what form: the options of Airtable's list-records.
public struct AirtableQuery: Sendable, Hashable {
    /// Names or ids of columns, one at least; nil for all of them.
    public var fields: [String]?
    public var filterByFormula: String?
    /// Name or id of a view.
    public var view: String?
    public var sort: [Sort]
    /// The most records in total.
    public var maxRecords: Int?
    /// Records a page, 1 to 100; nil for Airtable's default, which is the most.
    public var pageSize: Int?
    /// Whether the cells come under the ids of their columns, which stay when a column is renamed.
    public var returnFieldsByFieldId: Bool
    public var cellFormat: CellFormat
    /// Whether ``AirtableRecord/commentCount`` is filled.
    public var countsComments: Bool

    public struct Sort: Sendable, Hashable {
        /// Name or id of a column.
        public var field: String
        public var isDescending: Bool

        public init(field: String, isDescending: Bool = false) {
            self.field = field
            self.isDescending = isDescending
        }
    }

    public enum CellFormat: Sendable, Hashable {
        /// JSON as the column's type has it.
        case json
        /// Text as the user interface shows it.
        case string(timeZone: String, userLocale: String)
    }

    public init(
        fields: [String]? = nil,
        filterByFormula: String? = nil,
        view: String? = nil,
        sort: [Sort] = [],
        maxRecords: Int? = nil,
        pageSize: Int? = nil,
        returnFieldsByFieldId: Bool = false,
        cellFormat: CellFormat = .json,
        countsComments: Bool = false
    ) {
        self.fields = fields
        self.filterByFormula = filterByFormula
        self.view = view
        self.sort = sort
        self.maxRecords = maxRecords
        self.pageSize = pageSize
        self.returnFieldsByFieldId = returnFieldsByFieldId
        self.cellFormat = cellFormat
        self.countsComments = countsComments
    }
}

extension AirtableQuery {
    /// - Throws: `CacheError` with `invalidArgument` if Airtable would refuse it whatever the table is, or it asks for no
    ///   column, which Airtable takes for all of them in a URL and for none in a body.
    public func validate() throws {
        if let pageSize, !(1...100).contains(pageSize) {
            throw CacheError(.invalidArgument, "pageSize must be 1 to 100, not \(pageSize)")
        }
        if let maxRecords, maxRecords < 1 {
            throw CacheError(.invalidArgument, "maxRecords must be positive, not \(maxRecords)")
        }
        if fields?.isEmpty == true {
            throw CacheError(.invalidArgument, "fields needs a column at least; leave it nil for all of them")
        }
        if fields?.contains("") == true || sort.contains(where: { $0.field.isEmpty }) {
            throw CacheError(.invalidArgument, "fields and sort need names of columns")
        }
    }

    /// All options as a URL has them, in a fixed order.
    var items: [(name: String, value: String)] {
        var items: [(name: String, value: String)] = []
        if case .string = cellFormat { items.append(("cellFormat", "string")) }
        for field in fields ?? [] { items.append(("fields[]", field)) }
        if let filterByFormula { items.append(("filterByFormula", filterByFormula)) }
        if let maxRecords { items.append(("maxRecords", "\(maxRecords)")) }
        if let pageSize { items.append(("pageSize", "\(pageSize)")) }
        if countsComments { items.append(("recordMetadata[]", "commentCount")) }
        if returnFieldsByFieldId { items.append(("returnFieldsByFieldId", "true")) }
        for (index, key) in sort.enumerated() {
            items.append(("sort[\(index)][field]", key.field))
            items.append(("sort[\(index)][direction]", key.isDescending ? "desc" : "asc"))
        }
        if let view { items.append(("view", view)) }
        return items + queryOnlyItems
    }

    /// What Airtable takes in the query only, with POST too.
    var queryOnlyItems: [(name: String, value: String)] {
        guard case .string(let timeZone, let userLocale) = cellFormat else { return [] }
        return [("timeZone", timeZone), ("userLocale", userLocale)]
    }

    /// The other options as a body has them.
    var members: [String: JSONValue] {
        var members: [String: JSONValue] = [:]
        if case .string = cellFormat { members["cellFormat"] = "string" }
        members["fields"] = fields.map { .array($0.map { .string($0) }) }
        members["filterByFormula"] = filterByFormula.map { .string($0) }
        members["maxRecords"] = maxRecords.map { .integer(Int64($0)) }
        members["pageSize"] = pageSize.map { .integer(Int64($0)) }
        if countsComments { members["recordMetadata"] = ["commentCount"] }
        if returnFieldsByFieldId { members["returnFieldsByFieldId"] = true }
        if !sort.isEmpty {
            members["sort"] = .array(
                sort.map { ["field": .string($0.field), "direction": $0.isDescending ? "desc" : "asc"] }
            )
        }
        members["view"] = view.map { .string($0) }
        return members
    }
}
