import BoundedCache
public import Freshet

/// Which records of an array are kept, which of their members, and in what order: `where`, then `select`, then `sort`.
///
/// ```swift
/// let transform = try RecordTransform(
///     where: ["Nombre": Condition(notIn: ["", "N/A"], trim: true)],
///     select: ["id": "id", "name": Selection(from: "Nombre", default: "Unnamed Agent")],
///     sort: [SortKey("name")],
///     locale: "es"
/// )
/// let agents = try transform.apply(records)
/// ```
public struct RecordTransform: Sendable, Hashable {
    private let conditions: [String: Condition]
    private let selections: [String: Selection]?
    private let sort: [SortKey]
    private let order: TextOrder

    /// - Parameters:
    ///   - conditions: by the name of a member of the source's records; all must hold.
    ///   - select: by the name of a member of the result; nil keeps the records as they are.
    ///   - sort: names of members of the result; the first decides, the next among equals. Records that are equal in
    ///   all of them stay in the source's order. Ascending, numbers come before texts before booleans before the rest;
    ///     records without the member come last, descending too.
    ///   - locale: the language of the order of texts, such as `es` or `es-MX`, which is then that of JavaScript's
    ///     `localeCompare`. Without one, texts are in the order of their Unicode scalars.
    /// - Throws: `CacheError` with `configuration`, which tells everything that is wrong.
    public init(
        where conditions: [String: Condition] = [:],
        select: [String: Selection]? = nil,
        sort: [SortKey] = [],
        locale: String? = nil
    ) throws {
        let problems = Self.problems(where: conditions, select: select, sort: sort, locale: locale)
        guard problems.isEmpty else {
            throw CacheError(.configuration, problems.map(\.message).joined(separator: "; "))
        }
        self.conditions = conditions
        selections = select
        self.sort = sort
        order = try TextOrder(locale: locale)
    }

    /// Whether ``apply(_:)`` gives back what it gets.
    public var isIdentity: Bool { conditions.isEmpty && selections == nil && sort.isEmpty }

    /// Whether the result tells what a member of the source's records holds.
    package func tells(_ member: String) -> Bool {
        selections?.values.contains { $0.source == member } ?? true
    }

    /// - Complexity: O(*n* log *n*) in the number of records.
    /// - Throws: `CacheError` with `sourceFailed` if there is something to do, and the value is no array of objects.
    public func apply(_ value: JSONValue) throws -> JSONValue {
        if isIdentity { return value }
        guard let elements = value.array else {
            throw CacheError(.sourceFailed, "where, select and sort need an array; the source gave none")
        }
        var records: [[String: JSONValue]] = []
        records.reserveCapacity(elements.count)
        for (index, element) in elements.enumerated() {
            guard let record = element.object else {
                throw CacheError(
                    .sourceFailed,
                    "where, select and sort need an array of objects; element \(index) is none"
                )
            }
            guard conditions.allSatisfy({ name, condition in condition.holds(for: record[name]) }) else { continue }
            records.append(selections.map { $0.compactMapValues { $0.value(in: record) } } ?? record)
        }
        return .array(sorted(records).map { .object($0) })
    }

    /// Every key becomes a column of ranks, so that texts are compared once a key, whatever the number of keys.
    private func sorted(_ records: [[String: JSONValue]]) -> [[String: JSONValue]] {
        guard !sort.isEmpty, records.count > 1 else { return records }
        let columns = sort.map { key in
            ranks(of: records.map { $0[key.name] }, isDescending: key.order == .descending)
        }
        return records.indices.sorted { left, right in
            for column in columns where column[left] != column[right] { return column[left] < column[right] }
            return left < right
        }.map { records[$0] }
    }

    private func ranks(of values: [JSONValue?], isDescending: Bool) -> [Int] {
        let texts = order.ranks(of: values.lazy.compactMap { $0?.string })
        return values.enumerated().map { ($0.offset, SortValue($0.element, texts)) }
            .ranked { $0.1 < $1.1 }
            .map { rank, element in element.1 == .missing ? .max : isDescending ? -rank : rank }
    }
}

/// A member as the order sees it.
private enum SortValue: Hashable, Comparable {
    /// The nearest double, and what is left beside it.
    case number(Double, Int64)
    /// The rank of the text.
    case text(Int)
    case bool(Int)
    case other
    case missing

    init(_ value: JSONValue?, _ texts: [ExactKey: Int]) {
        switch value {
        case nil, .null?: self = .missing
        case .integer(let number)?: self = .number(Double(number), number.rest)
        case .number(let number)?: self = .number(number, 0)
        case .string(let text)?: self = .text(texts[text] ?? 0)
        case .bool(let flag)?: self = .bool(flag ? 1 : 0)
        case .array?, .object?: self = .other
        }
    }
}

extension Int64 {
    /// What is left beside the nearest double: nothing up to 2^53.
    fileprivate var rest: Int64 {
        // 2^63, which is the nearest to the greatest ones, is no Int64.
        Int64(exactly: Double(self)).map { self - $0 } ?? self - Int64.max - 1
    }
}

extension Array {
    /// The elements in their order, each with its rank; equal ones have the same.
    fileprivate func ranked(by isLess: (Element, Element) -> Bool) -> [(Int, Element)] {
        var ranks = [Int](repeating: 0, count: count)
        var rank = 0
        var last: Element?
        for index in indices.sorted(by: { isLess(self[$0], self[$1]) }) {
            if let last, isLess(last, self[index]) { rank += 1 }
            last = self[index]
            ranks[index] = rank
        }
        return Array<(Int, Element)>(zip(ranks, self))
    }
}
