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

/// One answer of list-records.
struct AirtablePage: Decodable {
    var records: [AirtableRecord]
    /// Where the next page begins; nil after the last.
    var offset: String?
}
