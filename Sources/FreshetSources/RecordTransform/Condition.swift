public import Freshet

/// What a member of a record must be like for the record to be kept. All that is given must hold.
///
/// A value is compared with listed values of its own type – text, number, boolean. A missing or null member counts as
/// `""` among texts and as `false` among booleans, since Airtable leaves out empty cells and unchecked boxes. A value
/// of a type that is not listed does not match, neither ``in`` nor ``notIn``: so `notIn: ["", "N/A"]` keeps texts only.
public struct Condition: Sendable, Hashable {
    /// The member is one of these.
    public var `in`: [JSONValue]?
    /// The member is of the type of one of these, and none of them.
    public var notIn: [JSONValue]?
    /// As ``in`` with one value.
    public var equals: JSONValue?
    /// As ``notIn`` with one value.
    public var notEquals: JSONValue?
    /// Whether the member is there, and not null.
    public var exists: Bool?
    /// Whether texts are compared without white space around them. The record keeps it.
    public var trim: Bool

    public init(
        in values: [JSONValue]? = nil,
        notIn: [JSONValue]? = nil,
        equals: JSONValue? = nil,
        notEquals: JSONValue? = nil,
        exists: Bool? = nil,
        trim: Bool = false
    ) {
        self.in = values
        self.notIn = notIn
        self.equals = equals
        self.notEquals = notEquals
        self.exists = exists
        self.trim = trim
    }

    func holds(for value: JSONValue?) -> Bool {
        let value = value == .null ? nil : value
        if let exists, exists != (value != nil) { return false }
        if let values = self.in, !isListed(value, in: values) { return false }
        if let equals, !isListed(value, in: [equals]) { return false }
        if let notIn, isListed(value, in: notIn) || !isComparable(value, with: notIn) { return false }
        if let notEquals, isListed(value, in: [notEquals]) || !isComparable(value, with: [notEquals]) { return false }
        return true
    }

    /// Why no record can be judged by it.
    var problem: String? {
        let lists = [self.in, notIn, equals.map { [$0] }, notEquals.map { [$0] }].compactMap { $0 }
        if exists == nil, lists.isEmpty { return "has no condition" }
        if lists.contains(where: \.isEmpty) { return "has an empty list" }
        return lists.joined().allSatisfy { Kind($0) != nil } ? nil : "compares with texts, numbers and booleans only"
    }

    private func isListed(_ value: JSONValue?, in values: [JSONValue]) -> Bool {
        values.contains { isEqual(value, $0) }
    }

    private func isComparable(_ value: JSONValue?, with values: [JSONValue]) -> Bool {
        values.contains { Kind($0) == Kind(value ?? $0.absence) }
    }

    private func isEqual(_ value: JSONValue?, _ listed: JSONValue) -> Bool {
        switch (value ?? listed.absence, listed) {
        case (.string(let left), .string(let right)):
            trim ? left.trimmed.isEqual(to: right.trimmed) : left[...].isEqual(to: right[...])
        case (.integer(let left), .number(let right)): Double(left) == right
        case (.number(let left), .integer(let right)): left == Double(right)
        case (let left, let right): left == right
        }
    }
}

private enum Kind {
    case text, number, bool

    init?(_ value: JSONValue) {
        switch value {
        case .string: self = .text
        case .integer, .number: self = .number
        case .bool: self = .bool
        case .null, .array, .object: return nil
        }
    }
}

extension JSONValue {
    /// What a missing member counts as when it is compared with this.
    fileprivate var absence: JSONValue {
        switch self {
        case .string: ""
        case .bool: false
        default: nil
        }
    }
}

extension String {
    /// Without white space around it. Most texts have none, and are given as they are.
    fileprivate var trimmed: Substring {
        var text = self[...]
        while text.first?.isTrimmed == true { text.removeFirst() }
        while text.last?.isTrimmed == true { text.removeLast() }
        return text
    }
}

extension Substring {
    /// Whether they are canonically equivalent. It takes a time that is quadratic in the marks that follow one another; texts of
    /// very unlike lengths are no forms of each other.
    fileprivate func isEqual(to other: Substring) -> Bool {
        utf8.count <= 9 * other.utf8.count && self == other
    }
}

extension Character {
    /// A byte order mark counts, as in JavaScript's `trim`.
    fileprivate var isTrimmed: Bool { isWhitespace || unicodeScalars.elementsEqual(CollectionOfOne("\u{FEFF}")) }
}
