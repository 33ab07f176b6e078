import Freshet
import NIOCore
import Testing

@Suite("Stored JSON")
struct StoredJSONTests {
    @Test(
        "a comma before a closing bracket is no JSON",
        arguments: [#"{"a":1,}"#, "[1,2,]", "[1, \n\t]", #"[{"a":[1,]}]"#, #"{"a":"\\",}"#, #"["\"",]"#]
    )
    func trailingComma(text: String) {
        #expect(throws: CacheError.self) { try StoredJSON.decode(JSONValue.self, from: ByteBuffer(string: text)) }
    }

    @Test(
        "commas and brackets in strings are text",
        arguments: ["[1,2]", #"{"a,}":",]","b":[]}"#, #"["\",]"]"#, #"["\\",",]"]"#, #"[ "," , { } ]"#]
    )
    func commasInStrings(text: String) throws {
        let value = try StoredJSON.decode(JSONValue.self, from: ByteBuffer(string: text))
        #expect(try StoredJSON.decode(JSONValue.self, from: try StoredJSON.encode(value)) == value)
    }
}
