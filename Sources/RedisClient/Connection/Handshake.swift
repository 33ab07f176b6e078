import RESP

/// What is said on a new connection before the first command.
///
/// Everything goes out in one write: `HELLO 3` with credentials, then what may fail without harm, then `SELECT`. A
/// server that does not know RESP3 answers `HELLO` with an error; then the same is said again in RESP2. How it puts that
/// differs, so that `HELLO` holds nothing else that a server could find fault with.
struct Handshake: Sendable {
    enum Action {
        case wait
        case send([RESPCommand])
        case done(RESPProtocol)
        case fail(RedisClientError)
    }

    /// The command that it is said with.
    private enum Step: String {
        case hello = "HELLO"
        case authenticate = "AUTH"
        case select = "SELECT"
        case ping = "PING"
        case track = "CLIENT TRACKING"
        case role = "ROLE"
        case readOnly = "READONLY"
        /// Of no consequence, such as the client's name.
        case courtesy = "CLIENT"
    }

    private let configuration: RedisClient.Configuration
    /// What the server was told.
    private(set) var credentials: Credentials?
    private var awaited: [Step] = []
    private var version: RESPProtocol
    private var fallsBack = false
    /// What the server says of itself in its answer to `HELLO`.
    private var isPrimary: Bool?
    private var mayTrack = false
    /// Why RESP3 is not spoken.
    private var helloRefusal: RESPError?
    /// The server's last error. It is why a server ends the connection that has too many already.
    private(set) var refusal: RESPError?

    init(_ configuration: RedisClient.Configuration) {
        self.configuration = configuration
        version = configuration.version
    }

    var address: RedisClient.Configuration.Address { configuration.address }

    /// Whether the server tracks keys, and tells of them.
    var isTracked: Bool { mayTrack && version == .resp3 }

    mutating func start() -> [RESPCommand] {
        credentials = configuration.credentials
        let said = version == .resp3 ? hello() : traditional()
        awaited = said.map(\.0).reversed()
        refusal = nil
        return said.map(\.1)
    }

    mutating func receive(_ reply: RESPValue) -> Action {
        guard let step = awaited.popLast() else {
            return .fail(RedisClientError(.protocolViolation, "The server answered the handshake more than once."))
        }
        if step == .ping, !reply.isAnswerToPing {
            return .fail(RedisClientError(.protocolViolation, "The server answered PING with something else."))
        }
        if let error = reply.error {
            if step != .courtesy { refusal = error }
            if let failure = failure(of: step, error) { return .fail(failure) }
        } else if step == .track {
            mayTrack = true
        }
        if step == .hello {
            isPrimary = reply.pairs?.first { $0.key.string == "role" }.map { $0.value.string == "master" }
        }
        if step == .role, !fallsBack, reply.error == nil ? reply.array?.first?.string != "master" : isPrimary != true {
            return .fail(RedisClientError(.connectFailed, "The server is not a primary."))
        }
        guard awaited.isEmpty else { return .wait }
        guard fallsBack else {
            if configuration.tracking == .required, version != .resp3 { return .fail(Self.noTracking(helloRefusal)) }
            return .done(version)
        }
        fallsBack = false
        version = .resp2
        return .send(start())
    }

    private mutating func failure(of step: Step, _ error: RESPError) -> RedisClientError? {
        if step == .courtesy || fallsBack { return nil }
        // That a script keeps the server busy does not tell whether it tracks keys.
        if step == .track, configuration.tracking == .preferred, error.code != .busy { return nil }
        // Proxies do not read what it says of credentials.
        if step == .hello, error.code == .noAuth, credentials != nil {
            (fallsBack, helloRefusal) = (true, error)
            return nil
        }
        if step == .role, isPrimary != nil, error.code == .noPermission { return nil }
        // Whatever else it finds fault with: it is there, and knows who asks.
        if step == .ping, error.code != .noAuth { return nil }
        if error.code == .noAuth || error.code == .wrongPassword || error.code == .noPermission || step == .authenticate
        {
            let reason =
                switch error.code {
                case .noAuth: "The server asks for a password."
                case .noPermission: "The server does not let the user run \(step.rawValue), which connecting takes."
                default: "The server refused the credentials."
                }
            return RedisClientError(.authenticationFailed, reason, underlying: error)
        }
        if error.code == .busy {
            return RedisClientError(.connectFailed, "The server is busy with a script.", underlying: error)
        }
        switch step {
        case .hello where error.code == .noProtocol || error.code == .generic:
            fallsBack = true
            helloRefusal = error
            return nil
        case .select where error.code == .generic:
            return RedisClientError(.databaseRefused, "The server refused the database.", underlying: error)
        case .track:
            return Self.noTracking(error)
        default:
            return RedisClientError(.connectFailed, "The server refused the handshake.", underlying: error)
        }
    }

    private static func noTracking(_ refusal: RESPError?) -> RedisClientError {
        RedisClientError(
            .connectFailed,
            "The server does not track keys for client-side caching, which needs RESP3 and Redis 6.",
            underlying: refusal
        )
    }

    private func hello() -> [(Step, RESPCommand)] {
        var hello = RESPCommand("HELLO", RESPProtocol.resp3.rawValue)
        if let credentials {
            hello.append(contentsOf: ["AUTH", credentials.username ?? "default", credentials.password])
        }
        return [(.hello, hello)] + common()
    }

    private func traditional() -> [(Step, RESPCommand)] {
        var said: [(Step, RESPCommand)] = []
        if let credentials {
            let isOld = helloRefusal.map { $0.code != .noAuth } ?? false
            said.append((.authenticate, isOld ? credentials.commandWithoutDefault : credentials.command))
        }
        // Nothing of this is answered with an error if a password is missing, so ask.
        return said + [(.ping, RESPCommand("PING"))] + common()
    }

    private func common() -> [(Step, RESPCommand)] {
        var said: [(Step, RESPCommand)] = [
            (.courtesy, RESPCommand("CLIENT", "SETINFO", "LIB-NAME", "freshet"))
        ]
        if let name = configuration.clientName { said.append((.courtesy, RESPCommand("CLIENT", "SETNAME", name))) }
        if configuration.database != 0 { said.append((.select, RESPCommand("SELECT", configuration.database))) }
        if configuration.tracking == .required || configuration.tracking == .preferred && version == .resp3 {
            // Only what is asked for, and nothing that this connection changed itself.
            said.append((.track, RESPCommand("CLIENT", "TRACKING", "ON", "OPTIN", "NOLOOP")))
        }
        switch configuration.peer {
        case .any: break
        case .primary: said.append((.role, RESPCommand("ROLE")))
        case .readReplica: said.append((.readOnly, RESPCommand("READONLY")))
        }
        return said
    }
}
