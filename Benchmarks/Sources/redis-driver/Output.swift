import Foundation

/// Lines of JSON.
enum Output {
    static func line(_ fields: [(String, String)]) {
        print("{" + fields.map { "\"\($0)\":\($1)" }.joined(separator: ",") + "}")
    }

    static func short(_ number: Double) -> String { String(format: "%.2f", number) }
}
