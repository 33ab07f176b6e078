import Freshet

/// All the stand-in knows. It reads no clock and does no I/O.
struct StandInState: Sendable {
    var bases: [String: AirtableStandIn.Base]
    var faults: [ArmedFault] = []
    var iterators: [String: FrozenList] = [:]
    var statistics = AirtableStandIn.Statistics()
    var callsLeft: Int?

    private let token: String
    private let configuration: AirtableStandIn.Configuration
    private var limits: [String: RequestLimit] = [:]
    private var limitOfUser = RequestLimit()
    private var lastID: UInt64 = 0
    private var pages = 0

    /// An iterator: the order of the records as it was at the first page.
    struct FrozenList: Sendable {
        let table: String
        let order: [String]
        let lastUsed: MonotonicInstant
    }

    init(bases: [AirtableStandIn.Base], token: String, configuration: AirtableStandIn.Configuration) {
        self.bases = Dictionary(bases.map { ($0.id, $0) }) { _, last in last }
        self.token = token
        self.configuration = configuration
        callsLeft = configuration.monthlyCalls
    }

    mutating func nextID(_ prefix: String) -> String {
        lastID += 1
        let digits = String(lastID, radix: 36)
        return "\(prefix)New" + String(repeating: "0", count: max(0, 11 - digits.count)) + digits
    }

    mutating func withTable(base: String, table: String, _ body: (inout AirtableStandIn.Table) -> Void) {
        guard let index = bases[base]?.tables.firstIndex(where: { $0.id == table || $0.name == table }) else { return }
        bases[base]?.tables.withElement(at: index, body)
    }

    /// The fault that strikes this request, if any does.
    mutating func takeFault() -> AirtableStandIn.Fault? {
        var struck: AirtableStandIn.Fault?
        for index in faults.indices {
            if faults[index].skip > 0 {
                faults[index].skip -= 1
            } else if struck == nil, faults[index].times > 0 {
                faults[index].times -= 1
                struck = faults[index].fault
            }
        }
        faults.removeAll { $0.times <= 0 && $0.skip <= 0 }
        return struck
    }

    /// Checks who asks, and how often.
    mutating func admit(base: String, token: String?, at now: MonotonicInstant) -> StandInError? {
        guard token == self.token else { return .unauthenticated }
        guard base.count == 17, base.hasPrefix("app"), base.utf8.allSatisfy(\.isLetterOrDigit) else { return .notFound }
        let (ofUser, ofBase) = (configuration.requestsPerSecondOfUser, configuration.requestsPerSecond)
        let lockout = configuration.lockout
        if limitOfUser.refuses(at: now, perSecond: ofUser, lockout: lockout)
            || limits[base, default: RequestLimit()].refuses(at: now, perSecond: ofBase, lockout: lockout)
        {
            return .rateLimited
        }
        if let left = callsLeft {
            guard left > 0 else { return .quotaSpent }
            callsLeft = left - 1
        }
        return nil
    }

    mutating func lock(base: String, at now: MonotonicInstant) {
        limits[base, default: RequestLimit()].lockedUntil = now + configuration.lockout
    }

    /// The page that was asked for.
    mutating func page(base: String, table name: String, _ request: ListRequest, at now: MonotonicInstant) throws
        -> JSONValue
    {
        guard let table = bases[base]?.table(name) else { throw StandInError.forbidden }
        let columns = try request.columns.map { names in try names.map { try Self.column($0, in: table) } }
        iterators = iterators.filter { now - $0.value.lastUsed <= configuration.iteratorLifetime }

        let iterator: String
        let order: [String]
        var start = 0
        if let offset = request.offset {
            let parts = offset.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            guard parts.count == 2, parts[0].hasPrefix("itr") else {
                throw StandInError.invalidOffset
            }
            guard let list = iterators[parts[0]], list.table == table.id else { throw StandInError.iteratorGone }
            guard let index = list.order.firstIndex(of: parts[1]) else { throw StandInError.invalidOffset }
            (iterator, order, start) = (parts[0], list.order, index)
        } else {
            iterator = nextID("itr")
            order = try Self.order(of: table, request)
        }

        pages += 1
        let end = min(order.count, start + request.pageSize)
        let records = Dictionary(table.records.map { ($0.id, $0) }) { first, _ in first }
        var answer: [String: JSONValue] = [
            "records": .array(
                order[start..<end].compactMap { records[$0] }.map { render($0, table, columns, request) }
            )
        ]
        if end < order.count {
            answer["offset"] = .string("\(iterator)/\(order[end])")
            iterators[iterator] = FrozenList(table: table.id, order: order, lastUsed: now)
        }
        return .object(answer)
    }

    private func render(
        _ record: AirtableStandIn.Record,
        _ table: AirtableStandIn.Table,
        _ columns: [AirtableStandIn.Column]?,
        _ request: ListRequest
    ) -> JSONValue {
        var cells: [String: JSONValue] = [:]
        for column in columns ?? table.columns {
            guard let value = record.cells[column.name], !value.isEmptyCell else { continue }
            let cell = request.formatsCells ? .string(value.cellText) : value.withFreshURLs(pages)
            cells[request.usesColumnIDs ? column.id : column.name] = cell
        }
        var members: [String: JSONValue] = [
            "id": .string(record.id), "createdTime": .string(record.createdTime), "fields": .object(cells),
        ]
        if request.countsComments { members["commentCount"] = .integer(Int64(record.commentCount)) }
        return .object(members)
    }

    private static func order(of table: AirtableStandIn.Table, _ request: ListRequest) throws -> [String] {
        var records = table.records
        var sort = request.sort
        if let name = request.view {
            guard let view = table.views.first(where: { $0.id == name || $0.name == name }) else {
                let isID = name.hasPrefix("viw")
                throw StandInError(422, isID ? "VIEW_ID_NOT_FOUND" : "VIEW_NAME_NOT_FOUND", "View \(name) not found")
            }
            records = records.filter(view.isIncluded)
            if sort.isEmpty { sort = view.sort }
        }
        if let text = request.formula {
            let formula = try Formula(text)
            guard formula.columns.allSatisfy({ table.column($0) != nil }) else { throw Formula.invalid }
            records = records.filter { record in
                formula.matches { table.column($0).flatMap { record.cells[$0.name] } }
            }
        }
        for key in sort.reversed() {
            let column = try column(key.column, in: table).name
            records = records.enumerated().sorted { left, right in
                let order = left.element.cells[column].compare(right.element.cells[column])
                return order == 0 ? left.offset < right.offset : (order < 0) != key.isDescending
            }.map(\.element)
        }
        return records.prefix(request.maxRecords ?? .max).map(\.id)
    }

    private static func column(_ name: String, in table: AirtableStandIn.Table) throws -> AirtableStandIn.Column {
        guard let column = table.column(name) else {
            throw StandInError(422, "UNKNOWN_FIELD_NAME", "Unknown field name: \"\(name)\"")
        }
        return column
    }
}

extension Array {
    fileprivate mutating func withElement(at index: Int, _ body: (inout Element) -> Void) { body(&self[index]) }
}

extension UInt8 {
    fileprivate var isLetterOrDigit: Bool {
        (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(self) || (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(self)
            || (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(self)
    }
}

extension Optional<JSONValue> {
    /// Airtable's order of cells, roughly: empty ones first, numbers by size, the rest by text without case.
    fileprivate func compare(_ other: JSONValue?) -> Int {
        switch (self, other) {
        case (nil, nil): 0
        case (nil, _): -1
        case (_, nil): 1
        case (let left?, let right?):
            if let left = left.double, let right = right.double {
                left == right ? 0 : left < right ? -1 : 1
            } else {
                left.cellText.lowercased().compare(to: right.cellText.lowercased())
            }
        }
    }
}

extension String {
    fileprivate func compare(to other: String) -> Int { self == other ? 0 : self < other ? -1 : 1 }
}

extension JSONValue {
    fileprivate var double: Double? {
        switch self {
        case .integer(let value): Double(value)
        case .number(let value): value
        default: nil
        }
    }

    /// The URLs of attachments expire, so Airtable signs them anew for every answer.
    fileprivate func withFreshURLs(_ page: Int) -> JSONValue {
        guard case .array(let elements) = self else { return self }
        return .array(
            elements.map { element in
                guard case .object(var members) = element, let url = members["url"]?.string else { return element }
                members["url"] = .string("\(url)?signed=\(page)")
                return .object(members)
            }
        )
    }
}
