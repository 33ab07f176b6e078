public import Freshet

extension AirtableStandIn {
    /// A base: tables under an id such as `appPeople00000001`, `app` and fourteen letters or digits.
    public struct Base: Sendable {
        public var id: String
        public var tables: [Table]

        public init(id: String, tables: [Table]) {
            self.id = id
            self.tables = tables
        }

        func table(_ idOrName: String) -> Table? {
            tables.first { $0.id == idOrName || $0.name == idOrName }
        }
    }

    public struct Table: Sendable {
        public var id: String
        public var name: String
        public var columns: [Column]
        public var views: [View]
        public var records: [Record]

        public init(id: String, name: String, columns: [Column], views: [View] = [], records: [Record] = []) {
            self.id = id
            self.name = name
            self.columns = columns
            self.views = views
            self.records = records
        }

        func column(_ nameOrID: String) -> Column? {
            columns.first { $0.name == nameOrID || $0.id == nameOrID }
        }

        mutating func addColumns(named names: [String]) {
            for name in names where column(name) == nil {
                columns.append(Column(id: "fldAdded\(columns.count + 10_000_000)".padded(to: 17), name: name))
            }
        }
    }

    public struct Column: Sendable, Hashable {
        public var id: String
        public var name: String

        public init(id: String, name: String) {
            self.id = id
            self.name = name
        }
    }

    /// A view: which records it shows, and in what order.
    public struct View: Sendable {
        public var id: String
        public var name: String
        public var sort: [Sort]
        public var isIncluded: @Sendable (Record) -> Bool

        public init(
            id: String,
            name: String,
            sort: [Sort] = [],
            where isIncluded: @escaping @Sendable (Record) -> Bool = { _ in true }
        ) {
            self.id = id
            self.name = name
            self.sort = sort
            self.isIncluded = isIncluded
        }
    }

    public struct Sort: Sendable, Hashable {
        public var column: String
        public var isDescending: Bool

        public init(column: String, isDescending: Bool = false) {
            self.column = column
            self.isDescending = isDescending
        }
    }

    public struct Record: Sendable, Hashable {
        public var id: String
        public var createdTime: String
        /// By column name.
        public var cells: [String: JSONValue]
        public var commentCount: Int

        public init(id: String, createdTime: String, cells: [String: JSONValue], commentCount: Int = 0) {
            self.id = id
            self.createdTime = createdTime
            self.cells = cells
            self.commentCount = commentCount
        }
    }
}

extension JSONValue {
    /// Airtable leaves such cells out.
    var isEmptyCell: Bool {
        switch self {
        case .null, .bool(false), .string(""), .array([]): true
        default: false
        }
    }

    /// What `cellFormat=string` makes of a cell.
    var cellText: String {
        switch self {
        case .null: ""
        case .bool(let value): value ? "checked" : ""
        case .integer(let value): "\(value)"
        case .number(let value): "\(value)"
        case .string(let value): value
        case .array(let values): values.map(\.cellText).joined(separator: ", ")
        case .object(let members): members["name"]?.cellText ?? members["url"]?.cellText ?? ""
        }
    }
}

extension String {
    func padded(to length: Int) -> String {
        String((self + String(repeating: "0", count: max(0, length - count))).prefix(length))
    }
}
