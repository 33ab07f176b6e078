import NIOCore
public import RESP

extension RedisClient {
    /// Where the server is, and how to treat it.
    public struct Configuration: Sendable {
        /// Where a server listens.
        public enum Address: Sendable, Hashable {
            case hostname(String, port: Int)
            /// The path of a Unix domain socket.
            case unixSocket(path: String)
        }

        /// The server, or for other topologies the first to ask.
        public var address: Address
        public var topology = Topology.single
        /// `nil` speaks plain text.
        public var tls: TLS?
        /// `nil` is the server's default user.
        public var username: String?
        /// Without one no user is sent either.
        public var password: String?
        public var database: Int
        /// What replaced user and password since.
        var rotation = CredentialRotation()
        var tlsContexts = TLSContexts()
        /// Shown by `CLIENT LIST` on the server.
        public var clientName: String?
        /// The version to ask for. A server that does not know RESP3 is spoken to in RESP2.
        public var version = RESPProtocol.resp3

        /// Whether the server is asked to tell of changed keys that were read through ``RedisClient/tracked``. Needs
        /// RESP3 and Redis 6.
        public var clientSideCaching = false
        /// Whether a server that does not track keys is refused. Otherwise commands run there untracked, as do those for a
        /// slot that is moving, and nothing tells of changed keys: for callers who check their copies now and then anyway.
        public var requiresClientSideCaching = true

        /// Time for one attempt: name resolution, TCP, TLS and handshake together. What is found of a
        /// name after more than half of it serves the attempts of the next ten seconds.
        public var connectTimeout = Duration.seconds(5)
        /// Time a command has, from the call to the reply, waiting for a connection included.
        public var commandTimeout = Duration.milliseconds(500)
        /// A connection on which nothing came for so long is closed, even if the server is busy with one command. A
        /// `PING` is sent before; it has ``commandTimeout``, but at least a second, to be answered. Where that is more
        /// than half the interval, the connection is kept longer. A `PING` is sent once an interval in any case: where
        /// its answer is that of another command, replies have come to the wrong callers, and the connection is closed.
        /// Zero turns that off: a server that is gone is then noticed only where a reply is overdue, by subscriptions
        /// as late as the system does, after hours.
        public var keepAliveInterval = Duration.seconds(15)
        /// How often a cluster's nodes or the sentinels are asked for changes that nothing else told of. Zero:
        /// only where there is a reason.
        public var topologyInterval = Duration.seconds(30)
        /// Time between attempts to connect, and between connections made anew since their server refuses writes: doubles
        /// from the lower bound to the upper, less up to half at random. Less than a millisecond counts as one.
        public var reconnectBackoff = Duration.milliseconds(20)...Duration.seconds(2)

        /// Commands that may be on the connection. More are refused as ``RedisClientError/Code/overloaded``, except a
        /// pipeline that is alone there.
        public var maxInFlight = 65_536
        /// Commands that may wait while there is no connection. A pipeline that waits alone may be longer.
        public var maxQueuedOffline = 8192
        /// Bytes that may wait for a server that does not read, while there is no connection, or in a subscription for
        /// a slow reader. One command, pipeline or message that waits alone may have more.
        public var maxBufferedBytes = 64 << 20
        /// Connections that may be out on lease at the same time; see ``RedisClient/withConnection(for:_:)``.
        public var maxLeasedConnections = 8
        /// Messages that a subscription keeps for a slow reader, before it drops some and says so; fewer where they
        /// have more than ``maxBufferedBytes``.
        public var maxBufferedMessages = 4096

        /// What the server has to be.
        var peer = Peer.any
        /// How long one server has to answer what it knows of the others, before another is asked.
        ///
        /// An attempt to connect to it goes on behind that, so that slow networks serve the next look.
        var surveyPatience = TimeAmount.seconds(1)

        public init(
            address: Address,
            tls: TLS? = nil,
            username: String? = nil,
            password: String? = nil,
            database: Int = 0
        ) {
            self.address = address
            self.tls = tls
            self.username = username
            self.password = password
            self.database = database
        }

        public init(host: String = "127.0.0.1", port: Int = 6379) {
            self.init(address: .hostname(host, port: port))
        }
    }

    /// How to secure a connection, by TLS 1.2 or newer.
    public struct TLS: Sendable, Hashable {
        /// Whose certificates are trusted.
        public enum Trust: Sendable, Hashable {
            case system
            /// The path of a PEM file with the certificates of authorities.
            case file(String)
            /// The same as text.
            case pem(String)
        }

        /// What is checked of a server's certificate.
        public enum Verification: Sendable, Hashable {
            /// That it is trusted and made for this host: for the name where there is one, not just for its address.
            case full
            /// Only that it is trusted.
            case certificateOnly
            /// Nothing. Whoever can reach the network can read and change everything.
            case none
        }

        /// A certificate of one's own, for servers that ask for it; paths of PEM files.
        public struct Identity: Sendable, Hashable {
            public var certificateChainFile: String
            public var privateKeyFile: String

            public init(certificateChainFile: String, privateKeyFile: String) {
                self.certificateChainFile = certificateChainFile
                self.privateKeyFile = privateKeyFile
            }
        }

        public var trust: Trust
        public var verification: Verification
        /// The name in the certificate, where it is not the host that is connected to.
        public var serverName: String?
        public var identity: Identity?

        public init(
            trust: Trust = .system,
            verification: Verification = .full,
            serverName: String? = nil,
            identity: Identity? = nil
        ) {
            self.trust = trust
            self.verification = verification
            self.serverName = serverName
            self.identity = identity
        }
    }
}

extension RedisClient.Configuration: CustomStringConvertible, CustomReflectable {
    /// Address and database; never user or password.
    public var description: String {
        let secure = tls == nil ? "" : "s"
        switch (topology, address) {
        case (.cluster(let cluster), _):
            return "redis+cluster\(secure)://\(Self.list(cluster.seeds))"
        case (.sentinel(let sentinel), _):
            return "redis+sentinel\(secure)://\(Self.list(sentinel.sentinels))/\(sentinel.primaryName)/\(database)"
        case (.single, .unixSocket(let path)):
            return "unix://\(path)?db=\(database)"
        case (.single, .hostname):
            return "redis\(secure)://\(address)/\(database)"
        }
    }

    public var customMirror: Mirror { Mirror(self, children: ["description": description]) }

    private static func list(_ addresses: [Address]) -> String {
        addresses.map(\.description).joined(separator: ",")
    }
}

extension RedisClient.Configuration.Address: CustomStringConvertible {
    /// `host:port`, or the socket's path.
    public var description: String {
        switch self {
        case .hostname(let host, let port): "\(host.contains(":") ? "[\(host)]" : host):\(port)"
        case .unixSocket(let path): path
        }
    }
}
