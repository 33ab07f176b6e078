import Freshet
import Logging

extension Configuration {
    /// What the command line sets; each goes before the environment and the file.
    public struct Overrides: Sendable {
        public var store: String?
        public var host: String?
        public var port: Int?

        public init(store: String? = nil, host: String? = nil, port: Int? = nil) {
            self.store = store
            self.host = host
            self.port = port
        }
    }

    /// Reads a configuration file.
    ///
    /// - Parameters:
    ///   - file: its path; paths in it count from its folder.
    ///   - environment: where `${VAR}` and the settings of the environment come from.
    ///   - overrides: settings of the command line.
    /// - Throws: ``ConfigurationError`` with everything that is wrong.
    public static func load(
        file: String,
        environment: Environment = Environment(),
        overrides: Overrides = Overrides()
    ) throws -> Configuration {
        try parse(ConfigurationFile.text(file), file: file, environment: environment, overrides: overrides)
    }

    /// Reads a configuration from text, as ``load(file:environment:overrides:)`` does.
    ///
    /// - Parameter file: what problems call it, and what paths in it count from.
    public static func parse(
        _ yaml: String,
        file: String,
        environment: Environment = Environment(),
        overrides: Overrides = Overrides()
    ) throws -> Configuration {
        let scope = ReadingScope(file: file, environment: environment)
        var reader = ConfigurationReader(scope: scope, overrides: overrides)
        let configuration = reader.read(yaml)
        try scope.throwProblems()
        return configuration
    }
}

extension Configuration.Overrides: CustomStringConvertible, CustomReflectable {
    /// What is set; never user, password and token of the store.
    public var description: String {
        let store = store.map { StoreLocation(url: $0, origin: .flag).description }
        return [store, host, port.map { "port \($0)" }].compactMap { $0 }.joined(separator: ", ")
    }

    public var customMirror: Mirror { Mirror(self, children: ["description": description]) }
}

/// Reads the whole file; ``FieldReader`` reads one field.
private struct ConfigurationReader {
    let scope: ReadingScope
    let overrides: Configuration.Overrides

    mutating func read(_ yaml: String) -> Configuration {
        let root = YAMLDocument.parse(yaml, in: scope)
        let file = root?.section()
        file?.allow(["store", "storeTimeout", "server", "l1", "notifications", "fields"])
        var configuration = Configuration()
        configuration.store = StoreReader.read(file?["store"], flag: overrides.store, scope)
        configuration.storeTimeout =
            file?["storeTimeout"]?.duration(atLeast: .milliseconds(1)) ?? configuration.storeTimeout
        configuration.server = readServer(file?["server"])
        configuration.l1 = readL1(file?["l1"])
        configuration.notifications = NotificationReader.read(file?["notifications"])
        configuration.airtable.token = scope.environment["AIRTABLE_TOKEN"]
        configuration.airtable.endpoint = scope.environment["AIRTABLE_ENDPOINT"]
        configuration.fields = readFields(file?["fields"])
        checkAirtable(configuration)
        if configuration.fields.isEmpty, scope.problems.isEmpty {
            scope.warn(nil, "there are no fields", "add some under 'fields:'")
        }
        configuration.warnings = scope.warnings
        return configuration
    }

    private static let tokenAdvice = "use visible ASCII characters, without blanks"

    private func readServer(_ value: YAMLValue?) -> ServerSettings {
        var server = ServerSettings()
        if let mapping = value?.section() {
            mapping.allow(["host", "port", "readToken", "cors"])
            server.host = mapping["host"].flatMap(readHost) ?? server.host
            server.port = mapping["port"]?.integer(in: 0...65535) ?? server.port
            server.readToken = mapping["readToken"]?.word()
            if let token = server.readToken, !SecretText.canBeSent(token) {
                mapping["readToken"]?.report("the token for reads cannot be sent by every client", Self.tokenAdvice)
            }
            server.cors = mapping["cors"].map(readOrigins) ?? []
        }
        if let host = overrides.host ?? scope.environment["FRESHET_HOST"] {
            server.host = host
            let origin = overrides.host == nil ? "FRESHET_HOST" : "--host"
            if let problem = HostText.problem(host, origin: origin) { scope.report(problem) }
        }
        if let text = overrides.port.map(String.init) ?? scope.environment["FRESHET_PORT"] {
            if let port = PortText.port(text) {
                server.port = port
            } else {
                scope.report(PortText.problem(text, origin: overrides.port == nil ? "FRESHET_PORT" : "--port"))
            }
        }
        server.adminToken = scope.environment["FRESHET_ADMIN_TOKEN"]
        if let token = server.adminToken, !SecretText.canBeSent(token) {
            scope.report(
                origin: "FRESHET_ADMIN_TOKEN",
                "the token cannot be sent by every client",
                Self.tokenAdvice
            )
        }
        if let token = server.readToken, token == server.adminToken {
            scope.warn(
                value?.section()?["readToken"]?.place,
                "the token for reads is the admin token, so whoever may read may change",
                "choose another one for reads"
            )
        }
        return server
    }

    private func readHost(_ value: YAMLValue) -> String? {
        guard let host = value.word() else { return nil }
        if HostText.isHost(host) { return host }
        value.report("'\(value.written)' is no host to listen on", HostText.advice)
        return nil
    }

    private func readOrigins(_ value: YAMLValue) -> [String] {
        value.values.compactMap { value in
            guard let origin = value.word() else { return nil }
            guard origin == "*" || WebOrigin.isWritten(origin) else {
                value.report(
                    "'\(value.written)' is no origin as browsers write it",
                    "write https://host or https://host:port, in lower case, without a path or the usual port, or '*'"
                )
                return nil
            }
            return origin
        }
    }

    private func readL1(_ value: YAMLValue?) -> L1Settings {
        var l1 = L1Settings()
        guard let mapping = value?.section() else { return l1 }
        mapping.allow(["maxBytes", "recheck"])
        l1.maxBytes = mapping["maxBytes"]?.byteSize() ?? l1.maxBytes
        l1.recheck = mapping["recheck"]?.duration() ?? l1.recheck
        return l1
    }

    /// Token and endpoint have to make a client.
    private func checkAirtable(_ configuration: Configuration) {
        if configuration.airtable.token != nil, let url = configuration.airtable.endpoint, NearbyHost.isExposed(url) {
            scope.report(
                origin: "AIRTABLE_ENDPOINT",
                "the token would cross the network in plain text",
                "write https:// for a host that is far away"
            )
        }
        do {
            _ = try SourceFactory(configuration: configuration, logger: Logger(label: "freshet.configuration"))
        } catch {
            let message = (error as? CacheError)?.message ?? "\(error)"
            scope.report(nil, message, "correct AIRTABLE_TOKEN or AIRTABLE_ENDPOINT")
        }
    }

    private func readFields(_ value: YAMLValue?) -> [FieldSettings] {
        guard let mapping = value?.section() else { return [] }
        var names = FieldNames(scope: scope)
        return mapping.all.compactMap { member in
            names.check(member)
            return FieldReader(name: member.key, value: member.value, scope: scope).read()
        }
    }
}
