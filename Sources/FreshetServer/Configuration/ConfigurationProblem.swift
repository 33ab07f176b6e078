import Freshet

/// One thing that is wrong, or doubtful, in a configuration: where, what, and what to do about it.
public struct ConfigurationProblem: Sendable, Hashable, Encodable {
    /// The file, or the flag or environment variable that the setting came from.
    public var origin: String
    /// Counts from 1; nil where the origin is no file.
    public var line: Int?
    public var column: Int?
    public var message: String
    public var advice: String

    public init(origin: String, line: Int? = nil, column: Int? = nil, message: String, advice: String) {
        self.origin = origin
        self.line = line
        self.column = column
        self.message = message
        self.advice = advice
    }
}

extension ConfigurationProblem: CustomStringConvertible {
    /// `freshet.yaml:12:5: what is wrong – what to do`, in one line whatever the problem quotes.
    public var description: String {
        let position = [line, column].compactMap { $0 }.map { ":\($0)" }.joined()
        return "\(origin)\(position): \(message) – \(advice)".printable()
    }
}

/// Everything that is wrong in a configuration, in the order of the file. Never holds a value that may be a secret.
public struct ConfigurationError: Error, Sendable, CustomStringConvertible {
    public var problems: [ConfigurationProblem]

    public init(_ problems: [ConfigurationProblem]) { self.problems = problems }

    public var description: String { problems.map(\.description).joined(separator: "\n") }
}
