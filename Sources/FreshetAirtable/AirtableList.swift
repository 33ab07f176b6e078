import Freshet
import NIOCore

/// A table and the query for it: the requests for its pages.
struct AirtableList: Sendable {
    /// Airtable refuses URLs over 16,000 characters.
    static let maxURLLength = 16_000

    let base: String
    let table: String
    private let query: AirtableQuery
    private let url: String

    struct Call {
        var url: String
        /// Nil for GET.
        var body: ByteBuffer?
    }

    /// - Throws: `CacheError` with `invalidArgument`.
    init(endpoint: String, base: String, table: String, query: AirtableQuery) throws {
        guard !base.isEmpty, !table.isEmpty else {
            throw CacheError(.invalidArgument, "an Airtable list needs a base and a table")
        }
        try query.validate()
        self.base = base
        self.table = table
        self.query = query
        url = "\(endpoint)/v0/\(base.percentEncoded)/\(table.percentEncoded)"
    }

    /// For messages.
    var name: String { "base \(base), table \(table)" }

    /// GET, or POST where the URL would be too long for it.
    func request(offset: String?) throws -> Call {
        var items = query.items
        if let offset { items.append(("offset", offset)) }
        let get = url + items.encoded
        if get.utf8.count < Self.maxURLLength { return Call(url: get) }
        var members = query.members
        members["offset"] = offset.map { .string($0) }
        return Call(
            url: url + "/listRecords" + query.queryOnlyItems.encoded,
            body: try StoredJSON.encode(JSONValue.object(members))
        )
    }
}

extension [(name: String, value: String)] {
    /// `?a=1&b=2`; empty if there are none.
    var encoded: String {
        isEmpty ? "" : "?" + map { "\($0.name.percentEncoded)=\($0.value.percentEncoded)" }.joined(separator: "&")
    }
}

extension String {
    /// Everything but letters, digits and `-._~` as `%XX`, slashes too.
    var percentEncoded: String {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(utf8.count)
        let digits = Array("0123456789ABCDEF".utf8)
        for byte in utf8 {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
                UInt8(ascii: "~"):
                bytes.append(byte)
            default: bytes += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
