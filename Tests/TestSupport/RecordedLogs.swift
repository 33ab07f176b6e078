public import Logging
import NIOConcurrencyHelpers

/// Keeps what is logged.
public final class RecordedLogs: Sendable {
    public struct Entry: Sendable {
        public var level: Logger.Level
        public var message: String
        public var metadata: [String: String]

        public var text: String { "\(message) \(metadata)" }
    }

    private let box = NIOLockedValueBox([Entry]())

    public init() {}

    public var entries: [Entry] { box.withLockedValue { $0 } }

    public var logger: Logger {
        var logger = Logger(label: "test") { _ in Handler(logs: self) }
        logger.logLevel = .trace
        return logger
    }

    private struct Handler: LogHandler {
        let logs: RecordedLogs
        var metadata: Logger.Metadata = [:]
        var logLevel: Logger.Level = .trace

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            let merged = metadata.merging(event.metadata ?? [:]) { $1 }
            let entry = Entry(
                level: event.level,
                message: event.message.description,
                metadata: merged.mapValues(\.description)
            )
            logs.box.withLockedValue { $0.append(entry) }
        }
    }
}
