public import Freshet

/// A record as Airtable lists it.
public struct AirtableRecord: Sendable, Hashable, Decodable {
    /// `rec…`
    public var id: String
    /// ISO 8601 in UTC.
    public var createdTime: String?
    /// The cells that are not empty, by column. Airtable leaves out empty texts and lists and unchecked boxes.
    public var fields: [String: JSONValue]
    /// Where ``AirtableQuery/countsComments`` asked for it.
    public var commentCount: Int?

    public init(id: String, createdTime: String? = nil, fields: [String: JSONValue], commentCount: Int? = nil) {
        self.id = id
        self.createdTime = createdTime
        self.fields = fields
        self.commentCount = commentCount
    }

    /// `{id, …fields}`, and `commentCount` where it was asked for. They win over columns of these names, whose cells
    /// are lost.
    public var flattened: JSONValue {
        var members = fields
        members["id"] = .string(id)
        if let commentCount { members["commentCount"] = .integer(Int64(commentCount)) }
        return .object(members)
    }
}

extension AirtableRecord {
    /// - Throws: `CacheError` with `invalidValue` for what is no record.
    init(_ json: JSONValue) throws {
        guard let id = json["id"]?.string, let fields = json["fields"]?.object else {
            throw CacheError(.invalidValue, "a record has no id or no fields")
        }
        self.init(id: id, createdTime: try json.text("createdTime"), fields: fields)
        switch json["commentCount"] {
        case nil, .null?: break
        case .integer(let count)?: commentCount = Int(count)
        default: throw CacheError(.invalidValue, "the commentCount of \(id.printable(50)) is no integer")
        }
    }
}

/// One answer of list-records.
struct AirtablePage {
    var records: [AirtableRecord]
    /// Where the next page begins; nil after the last.
    var offset: String?

    /// - Throws: `CacheError` with `invalidValue` for what is no page.
    init(_ json: JSONValue) throws {
        guard let records = json["records"]?.array else {
            throw CacheError(.invalidValue, "there is no list of records")
        }
        self.records = try records.map { try AirtableRecord($0) }
        offset = try json.text("offset")
    }
}

extension JSONValue {
    /// - Returns: nil where there is none, or null.
    fileprivate func text(_ name: String) throws -> String? {
        switch self[name] {
        case nil, .null?: nil
        case .string(let text)?: text
        default: throw CacheError(.invalidValue, "\(name) is no text")
        }
    }
}
