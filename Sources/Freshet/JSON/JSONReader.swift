/// Reads JSON (RFC 8259) in one pass and without recursion: JSON comes from outside, and a thread's stack may be small.
///
/// The first of members with the same name counts.
struct JSONReader {
    struct Fault: Error {
        let reason: String
    }

    /// An array or object whose end is yet to come.
    private struct Container {
        let isObject: Bool
        var elements: [JSONValue] = []
        var members: [String: JSONValue] = [:]
        /// Of the member whose value is read.
        var name = ""
    }

    /// What Foundation's decoder takes.
    static let maxDepth = 512

    let text: UnsafeRawBufferPointer
    let isChecking: Bool
    let mendsHalves: Bool
    var place = 0
    private var open: [Container] = []

    private init(_ text: UnsafeRawBufferPointer, isChecking: Bool, mendsHalves: Bool) {
        self.text = text
        self.isChecking = isChecking
        self.mendsHalves = mendsHalves
    }

    /// - Parameters:
    ///   - text: UTF-8 without a mark.
    ///   - mendsHalves: whether an escape that is half of a surrogate pair is U+FFFD. JavaScript writes them of a text
    ///     that was cut within an emoji; JSON leaves open what they are (RFC 8259, section 8.2).
    static func read(_ text: UnsafeRawBufferPointer, mendsHalves: Bool) throws(Fault) -> JSONValue {
        var reader = JSONReader(text, isChecking: false, mendsHalves: mendsHalves)
        return try reader.read()
    }

    /// Halves of surrogate pairs, and numbers of any size, pass.
    static func check(_ text: UnsafeRawBufferPointer) throws(Fault) {
        var reader = JSONReader(text, isChecking: true, mendsHalves: true)
        _ = try reader.read()
    }

    private mutating func read() throws(Fault) -> JSONValue {
        skipSpace()
        guard place < text.count else { throw Fault(reason: "empty") }
        while true {
            guard var value = try begin() else { continue }
            while true {
                guard let last = open.indices.last else {
                    skipSpace()
                    guard place == text.count else { throw malformed() }
                    return value
                }
                guard let closed = try add(value, to: last) else { break }
                value = closed
            }
        }
    }

    /// - Returns: the value; `nil` for an array or object that was opened and is not empty.
    private mutating func begin() throws(Fault) -> JSONValue? {
        switch try next() {
        case UInt8(ascii: "{"): return try begin(Container(isObject: true))
        case UInt8(ascii: "["): return try begin(Container(isObject: false))
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "t"): return try word("true", .bool(true))
        case UInt8(ascii: "f"): return try word("false", .bool(false))
        case UInt8(ascii: "n"): return try word("null", .null)
        default:
            place -= 1
            return try number()
        }
    }

    private mutating func begin(_ container: Container) throws(Fault) -> JSONValue? {
        guard open.count < Self.maxDepth else { throw Fault(reason: "nested too deeply") }
        skipSpace()
        if take(container.isObject ? UInt8(ascii: "}") : UInt8(ascii: "]")) {
            return container.isObject ? .object([:]) : .array([])
        }
        open.append(container)
        if container.isObject { try name(of: open.count - 1) }
        return nil
    }

    /// Adds a value to what is open last.
    ///
    /// - Returns: that, if it ends behind the value.
    private mutating func add(_ value: JSONValue, to last: Int) throws(Fault) -> JSONValue? {
        let isObject = open[last].isObject
        if !isChecking {
            if !isObject {
                open[last].elements.append(value)
            } else if let first = open[last].members.updateValue(value, forKey: open[last].name) {
                open[last].members[open[last].name] = first
            }
        }
        switch try next() {
        case UInt8(ascii: ","):
            skipSpace()
            if place < text.count, "]}".utf8.contains(text[place]) { throw fault("a comma before a closing bracket") }
            if isObject { try name(of: last) }
            return nil
        case UInt8(ascii: "]") where !isObject, UInt8(ascii: "}") where isObject:
            let whole = open.removeLast()
            return isObject ? .object(whole.members) : .array(whole.elements)
        default:
            place -= 1
            throw malformed()
        }
    }

    private mutating func name(of last: Int) throws(Fault) {
        guard try next() == UInt8(ascii: "\"") else {
            place -= 1
            throw malformed()
        }
        open[last].name = try name()
        guard try next() == UInt8(ascii: ":") else {
            place -= 1
            throw malformed()
        }
    }
}

extension JSONReader {
    private mutating func skipSpace() {
        while place < text.count {
            switch text[place] {
            case UInt8(ascii: " "), UInt8(ascii: "\n"), UInt8(ascii: "\r"), UInt8(ascii: "\t"): place += 1
            default: return
            }
        }
    }

    /// The next byte that is no space.
    private mutating func next() throws(Fault) -> UInt8 {
        skipSpace()
        guard place < text.count else { throw malformed() }
        place += 1
        return text[place - 1]
    }

    mutating func take(_ byte: UInt8) -> Bool {
        guard place < text.count, text[place] == byte else { return false }
        place += 1
        return true
    }

    /// Its first letter has been read.
    private mutating func word(_ word: StaticString, _ value: JSONValue) throws(Fault) -> JSONValue {
        for offset in 1..<word.utf8CodeUnitCount {
            guard take(word.utf8Start[offset]) else { throw malformed() }
        }
        return value
    }
}

extension JSONReader {
    /// What is wrong with the text, at the place where the reader is.
    func malformed() -> Fault {
        if String(validating: text, as: UTF8.self) == nil { return Fault(reason: "not UTF-8") }
        guard place < text.count else {
            return Fault(reason: "it ends too soon, after \(text.count) bytes, in line \(line)")
        }
        return fault("malformed")
    }

    func fault(_ what: String) -> Fault { Fault(reason: "\(what) at byte \(place + 1), in line \(line)") }

    private var line: Int { text[..<place].count { $0 == UInt8(ascii: "\n") } + 1 }

    /// Of the value that is read.
    var path: JSONPath {
        JSONPath(steps: open.map { $0.isObject ? .name($0.name) : .index($0.elements.count) })
    }
}
