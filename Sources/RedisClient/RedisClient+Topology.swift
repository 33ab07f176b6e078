import NIOCore

extension RedisClient {
    /// How the servers are put together that hold the data.
    public enum Topology: Sendable, Hashable {
        /// One server, at the configuration's address.
        case single
        case cluster(Cluster)
        case sentinel(Sentinel)
    }

    /// A Redis Cluster.
    ///
    /// Commands go to the node that has the slot of their keys. `MGET`, `MSET`, `DEL`, `UNLINK`, `EXISTS` and `TOUCH`
    /// over several slots, and pipelines, are sent in parts and answered as one; they are not atomic. Other commands
    /// and transactions with keys in several slots are refused as ``RedisClientError/Code/crossSlot`` before anything
    /// is sent. `DBSIZE`, `KEYS`, `FLUSHDB` and `FLUSHALL` speak of all primaries, and so do those that load, delete or
    /// look for scripts and functions; other commands without keys go to any, but messages of one channel to the same.
    /// `SCAN` goes through one primary after the other, with cursors of more than 16 digits; keys whose slots move
    /// meanwhile may be missed.
    ///
    /// Where a script is answered with a redirection, or told to try again, the node is asked whether the keys exist, to
    /// learn whether it says so itself or the script has made it up; a user needs permission for `EXISTS`,
    /// `PING` and `ROLE`. Scripts that write may need `SETRANGE`, too, with which nothing is written: where reads go to
    /// replicas, or a cluster that is down answers them (`cluster-allow-reads-when-down`).
    public struct Cluster: Sendable, Hashable {
        /// Who answers commands that change nothing.
        public enum Reads: String, Sendable, Hashable {
            case primaries
            /// A replica where one is connected. It may not know of a write that has been answered; reads beside a write
            /// to their slot in one pipeline go to the primary, as do `HSCAN`, `SSCAN` and `ZSCAN`, whose cursors are for
            /// the server that gave them. Keys that have moved look absent for as long as their slot moves: a replica may
            /// not know that it does.
            case replicas
        }

        /// Nodes to ask for the others; one that answers is enough.
        public var seeds: [Configuration.Address]
        public var reads = Reads.primaries

        public init(seeds: [Configuration.Address]) {
            self.seeds = seeds
        }
    }

    /// A primary with replicas, watched by sentinels that say which server is the primary.
    ///
    /// A server is given commands only after it said itself that it is a primary.
    public struct Sentinel: Sendable, Hashable {
        /// Sentinels to ask; others are learned from them.
        public var sentinels: [Configuration.Address]
        /// The name under which the sentinels watch the primary.
        public var primaryName: String
        /// For the sentinels themselves; the configuration's are for the servers.
        public var username: String?
        public var password: String?

        public init(sentinels: [Configuration.Address], primaryName: String) {
            self.sentinels = sentinels
            self.primaryName = primaryName
        }
    }
}

extension RedisClient.Sentinel: CustomStringConvertible, CustomReflectable {
    /// Addresses and name; never user or password.
    public var description: String {
        "\(primaryName) at \(sentinels.map(\.description).joined(separator: ","))"
    }

    public var customMirror: Mirror { Mirror(self, children: ["description": description]) }
}

extension RedisClient.Configuration {
    /// For a cluster. TLS and credentials are those of all its nodes.
    ///
    /// - Parameter seeds: nodes to ask for the others.
    public init(clusterSeeds seeds: [Address], tls: RedisClient.TLS? = nil) {
        self.init(address: seeds.first ?? Self.localhost, tls: tls)
        topology = .cluster(RedisClient.Cluster(seeds: seeds))
    }

    /// For a primary that sentinels watch. TLS is used with both.
    public init(sentinels: [Address], primaryName: String, tls: RedisClient.TLS? = nil) {
        self.init(address: sentinels.first ?? Self.localhost, tls: tls)
        topology = .sentinel(RedisClient.Sentinel(sentinels: sentinels, primaryName: primaryName))
    }

    private static var localhost: Address { .hostname("127.0.0.1", port: 6379) }

    /// The same for one of the servers.
    func server(at address: Address, peer: Peer, isTracking: Bool = false) -> Self {
        var configuration = self
        configuration.topology = .single
        configuration.address = address
        configuration.peer = peer
        configuration.clientSideCaching = clientSideCaching && isTracking
        return configuration
    }

    /// What a server has to be, and to be told, before it is given commands.
    enum Peer: Sendable, Hashable {
        case any
        /// A primary, by its own word.
        case primary
        /// A cluster's node that may be asked to read though it is a replica.
        case readReplica
    }
}
