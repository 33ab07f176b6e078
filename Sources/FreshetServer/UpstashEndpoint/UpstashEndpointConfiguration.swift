/// What an ``UpstashEndpoint`` serves, where, and to whom.
public struct UpstashEndpointConfiguration: Sendable, Hashable {
    /// `redis[s]://`, `redis+cluster[s]://`, `redis+sentinel[s]://`, or `memory://` for what the embedded store can do.
    public var store: StoreLocation
    /// May run every command.
    public var token: String
    /// May run commands that only read.
    public var readOnlyToken: String?
    public var host: String
    /// 0 picks a free one.
    public var port: Int

    /// - Throws: ``ConfigurationError`` with all that is wrong.
    public init(
        store: StoreLocation,
        token: String?,
        readOnlyToken: String? = nil,
        host: String = "127.0.0.1",
        port: Int = 8080
    ) throws {
        self.store = store
        self.token = token ?? ""
        self.readOnlyToken = readOnlyToken
        self.host = host
        self.port = port
        let problems = problems
        if !problems.isEmpty { throw ConfigurationError(problems) }
    }

    /// What can be served.
    package static let storeForms: [StoreForm] = [.redis, .cluster, .sentinel, .memory]

    /// Whether only this machine can connect.
    public var isLoopback: Bool { ServerSettings.isLoopback(host) }

    private var problems: [ConfigurationProblem] {
        var problems: [ConfigurationProblem] = []
        func report(_ origin: String, _ message: String, _ advice: String) {
            problems.append(ConfigurationProblem(origin: origin, message: message, advice: advice))
        }
        if let form = StoreForm(scheme: store.scheme), !Self.storeForms.contains(form) {
            report(
                store.origin.description,
                "the endpoint cannot serve a store at '\(store.scheme)://'",
                "write \(StoreForm.list(Self.storeForms))"
            )
        } else if let problem = store.problem(among: Self.storeForms) {
            report(store.origin.description, problem.message, problem.advice)
        }
        if token.isEmpty {
            report("--token", "there is no token", "choose one with --token or UPSTASH_REDIS_REST_TOKEN")
        } else if !SecretText.canBeSent(token) {
            report("--token", "the token cannot be sent in a header", "use printable ASCII characters without spaces")
        }
        if let readOnlyToken {
            if readOnlyToken.isEmpty || !SecretText.canBeSent(readOnlyToken) {
                report(
                    "--read-only-token",
                    "the token is empty or cannot be sent in a header",
                    "use printable ASCII characters without spaces"
                )
            } else if readOnlyToken == token {
                report("--read-only-token", "it is the same as the token", "choose another one")
            }
        }
        if let problem = HostText.problem(host, origin: "--host") { problems.append(problem) }
        if !(0...65_535).contains(port) {
            report("--port", "\(port) is no port", "use 0 to 65535; 0 picks a free one")
        }
        return problems
    }
}

extension UpstashEndpointConfiguration: CustomStringConvertible, CustomReflectable {
    /// Address and store; never a token or password.
    public var description: String { "\(host):\(port) for \(store)" }

    public var customMirror: Mirror { Mirror(self, children: ["description": description]) }
}
