import Foundation
import UpstashClient

/// Environment variables as people paste them: white space and quotes around a value are not part of it, and a variable
/// that is set to nothing is not set.
public struct Environment: Sendable {
    private let values: [String: String]

    /// The environment of the process.
    public init() { self.init(ProcessInfo.processInfo.environment) }

    public init(_ values: [String: String]) { self.values = values }

    public subscript(name: String) -> String? {
        guard let value = values[name].map(PastedText.trimmed), !value.isEmpty else { return nil }
        return value
    }

    /// All names, for suggestions.
    var names: some Collection<String> { values.keys }
}

extension Environment: CustomStringConvertible, CustomReflectable {
    /// How many variables are set; never their values.
    public var description: String { "\(values.count) variables" }

    public var customMirror: Mirror { Mirror(self, children: ["description": description]) }
}
