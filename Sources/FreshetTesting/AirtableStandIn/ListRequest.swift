import Foundation
import Freshet

/// The options of list-records, from the query of a GET or the body of a POST.
struct ListRequest {
    var columns: [String]?
    var sort: [AirtableStandIn.Sort] = []
    var formula: String?
    var view: String?
    var maxRecords: Int?
    var pageSize = 100
    var offset: String?
    var countsComments = false
    var usesColumnIDs = false
    var formatsCells = false

    /// - Parameter query: pairs of decoded names and values.
    init(query: [(name: String, value: String)]) throws {
        var sorts: [Int: [String: String]] = [:]
        var zone = false
        var locale = false
        for (name, value) in query {
            switch name {
            case "filterByFormula": formula = value
            case "view": view = value
            case "maxRecords": maxRecords = try Self.positive(value, name)
            case "pageSize": pageSize = try Self.pageSize(value)
            case "offset": offset = value
            case "recordMetadata[]", "recordMetadata[0]": try addMetadata(value)
            case "returnFieldsByFieldId": usesColumnIDs = value == "true" || value == "1"
            case "cellFormat": formatsCells = try Self.formatsCells(value)
            case "timeZone": zone = true
            case "userLocale": locale = true
            case _ where name.hasPrefix("fields["): columns = (columns ?? []) + [value]
            case _ where name.hasPrefix("sort["):
                let parts = name.dropFirst(5).split(separator: "[").map { $0.dropLast() }
                guard parts.count == 2, let index = Int(parts[0]) else { throw Self.unknown(name) }
                sorts[index, default: [:]][String(parts[1])] = value
            default: throw Self.unknown(name)
            }
        }
        for (_, parts) in sorts.sorted(by: { $0.key < $1.key }) { try addSort(parts["field"], parts["direction"]) }
        try Self.require(zone: zone, locale: locale, if: formatsCells)
    }

    /// - Parameters:
    ///   - body: the JSON of the POST.
    ///   - query: holds time zone and locale, which Airtable takes nowhere else.
    init(body: JSONValue, query: [(name: String, value: String)]) throws {
        guard let members = body.object else { throw StandInError.invalidRequest("The body must be an object") }
        for (name, value) in members {
            switch (name, value) {
            case ("filterByFormula", .string(let text)): formula = text
            case ("view", .string(let text)): view = text
            case ("maxRecords", .integer(let number)): maxRecords = try Self.positive("\(number)", name)
            case ("pageSize", .integer(let number)): pageSize = try Self.pageSize("\(number)")
            case ("offset", .string(let text)): offset = text
            case ("recordMetadata", .array(let names)): for name in names { try addMetadata(name.string ?? "") }
            case ("returnFieldsByFieldId", .bool(let isOn)): usesColumnIDs = isOn
            case ("cellFormat", .string(let text)): formatsCells = try Self.formatsCells(text)
            case ("fields", .array(let names)): columns = names.compactMap(\.string)
            case ("sort", .array(let sorts)):
                for sort in sorts { try addSort(sort["field"]?.string, sort["direction"]?.string) }
            default: throw Self.unknown(name)
            }
        }
        let names = Set(query.map(\.name))
        try Self.require(zone: names.contains("timeZone"), locale: names.contains("userLocale"), if: formatsCells)
    }

    private mutating func addSort(_ column: String?, _ direction: String?) throws {
        guard let column, [nil, "asc", "desc"].contains(direction) else {
            throw StandInError.invalidRequest("sort needs a field, and asc or desc")
        }
        sort.append(AirtableStandIn.Sort(column: column, isDescending: direction == "desc"))
    }

    private mutating func addMetadata(_ name: String) throws {
        guard name == "commentCount" else { throw StandInError.invalidRequest("unknown recordMetadata \(name)") }
        countsComments = true
    }

    private static func positive(_ text: String, _ name: String) throws -> Int {
        guard let number = Int(text), number > 0 else { throw StandInError.invalidRequest("\(name) must be positive") }
        return number
    }

    private static func pageSize(_ text: String) throws -> Int {
        let size = try positive(text, "pageSize")
        guard size <= 100 else { throw StandInError.invalidRequest("pageSize must be at most 100") }
        return size
    }

    private static func formatsCells(_ text: String) throws -> Bool {
        guard ["json", "string"].contains(text) else { throw StandInError.invalidRequest("unknown cellFormat") }
        return text == "string"
    }

    private static func require(zone: Bool, locale: Bool, if isNeeded: Bool) throws {
        guard isNeeded else { return }
        guard zone, locale else {
            throw StandInError.invalidRequest("timeZone and userLocale are required with cellFormat string")
        }
    }

    private static func unknown(_ name: String) -> StandInError {
        StandInError.invalidRequest("Unknown parameter \(name)")
    }
}
