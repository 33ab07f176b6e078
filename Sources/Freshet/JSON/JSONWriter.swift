import NIOCore

/// Writes a ``JSONValue`` as ``StoredJSON`` has it: byte for byte what Foundation's encoder makes of it, in less time, and
/// without recursion.
struct JSONWriter {
    struct Fault: Error {
        let reason: String
    }

    /// An array or object whose end is yet to be written.
    private struct Container {
        var elements: [JSONValue] = []
        /// By name.
        var members: [(key: String, value: JSONValue)] = []
        let isObject: Bool
        /// Of the value that is written.
        var index = -1

        var count: Int { isObject ? members.count : elements.count }
        var step: JSONPath.Step { isObject ? .name(members[index].key) : .index(index) }
    }

    private(set) var bytes = ByteBuffer()
    private var open: [Container] = []

    mutating func write(_ value: JSONValue) throws(Fault) {
        try begin(value)
        while let last = open.indices.last {
            open[last].index += 1
            let (index, isObject) = (open[last].index, open[last].isObject)
            guard index < open[last].count else {
                bytes.writeStaticString(isObject ? "}" : "]")
                open.removeLast()
                continue
            }
            if index > 0 { bytes.writeStaticString(",") }
            if isObject {
                let name = open[last].members[index].key
                guard !name.hasTooManyMarks else { throw fault("a name with more than 100 marks in a row") }
                write(name)
                bytes.writeStaticString(":")
            }
            try begin(isObject ? open[last].members[index].value : open[last].elements[index])
        }
    }

    private mutating func begin(_ value: JSONValue) throws(Fault) {
        switch value {
        case .null: bytes.writeStaticString("null")
        case .bool(let value): bytes.writeStaticString(value ? "true" : "false")
        case .integer(let value): bytes.writeString(String(value))
        case .number(let value):
            guard value.isFinite else { throw fault("no valid JSON value") }
            let text = value.description
            bytes.writeSubstring(text.hasSuffix(".0") ? text.dropLast(2) : text[...])
        case .string(let value): write(value)
        case .array(let elements): try begin(Container(elements: elements, isObject: false))
        case .object(let members):
            let members = members.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }
            try begin(Container(members: members, isObject: true))
        }
    }

    private func fault(_ what: String) -> Fault { Fault(reason: "\(what) at \(JSONPath(steps: open.map(\.step)))") }

    private mutating func begin(_ container: Container) throws(Fault) {
        // It could not be read.
        guard open.count < JSONReader.maxDepth else { throw Fault(reason: "nested too deeply") }
        bytes.writeStaticString(container.isObject ? "{" : "[")
        open.append(container)
    }

    private mutating func write(_ string: String) {
        var string = string
        bytes.writeStaticString("\"")
        string.withUTF8 { text in
            let text = UnsafeRawBufferPointer(text)
            var start = 0
            var place = text.firstByteNotPlainInJSON(from: 0)
            while place < text.count {
                if let escape = Self.escape(text[place]) {
                    bytes.writeBytes(text[start..<place])
                    bytes.writeString(escape)
                    start = place + 1
                }
                place = text.firstByteNotPlainInJSON(from: place + 1)
            }
            bytes.writeBytes(text[start...])
        }
        bytes.writeStaticString("\"")
    }

    private static func escape(_ byte: UInt8) -> String? {
        switch byte {
        case UInt8(ascii: "\""): #"\""#
        case UInt8(ascii: "\\"): #"\\"#
        case 0x08: #"\b"#
        case 0x0C: #"\f"#
        case 0x0A: #"\n"#
        case 0x0D: #"\r"#
        case 0x09: #"\t"#
        case ..<0x10: #"\u000\#(String(byte, radix: 16))"#
        case ..<0x20: #"\u00\#(String(byte, radix: 16))"#
        default: nil
        }
    }
}
