import Foundation
import RESP

extension RedisClient.Configuration {
    /// Reads one of
    ///
    /// - `redis[s]://[user:password@]host[:port][/database]`
    /// - `redis+cluster[s]://[user:password@]host[:port],…`
    /// - `redis+sentinel[s]://[user:password@]host[:port],…/primary[/database]`
    /// - `unix://[user:password@]/path[?db=database]`
    ///
    /// User and password are for the servers. All parts are percent-decoded; characters that no URL may have stand for
    /// themselves. Query parameters: `cacert` (path of a PEM file, with TLS), `protocol` (`2` or `3`), with a cluster
    /// `reads` (`primaries` or `replicas`), with sentinels `sentinelUser` and `sentinelPassword`. Ports are 6379 if they
    /// are left out, those of sentinels 26379. With `replicas`, keys that have moved look absent
    /// for as long as their slot moves.
    ///
    /// - Throws: ``RedisClientError`` with ``RedisClientError/Code/invalidURL``, which says what is wrong and repeats
    ///   nothing that may be secret.
    public init(url: String) throws {
        let (credentials, hosts, single) = Self.separateAuthority(url)
        // Told to encode what is not legal, it would encode `%` along with it, and so twice.
        guard let components = URLComponents(string: single, encodingInvalidCharacters: false),
            let scheme = components.scheme?.lowercased()
        else { throw Self.notAURL }
        guard components.fragment == nil else {
            throw Self.invalid("It has a fragment; a # in a password is written %23.")
        }
        guard !components.path.utf8.contains(0), !(components.query ?? "").utf8.contains(0) else { throw Self.notAURL }
        let isSecure = ["rediss", "redis+clusters", "redis+sentinels"].contains(scheme)
        switch scheme {
        case "redis", "rediss":
            guard hosts.count == 1 else { throw Self.invalid("Several hosts are for redis+cluster, redis+sentinel.") }
            self.init(address: try Self.address(hosts[0], port: 6379), tls: isSecure ? .init() : nil)
            database = try Self.database(String(components.path.drop { $0 == "/" }))
        case "redis+cluster", "redis+clusters":
            self.init(
                clusterSeeds: try hosts.map { try Self.address($0, port: 6379) },
                tls: isSecure ? .init() : nil
            )
            guard ["", "/", "/0"].contains(components.path) else {
                throw Self.invalid("A cluster has database 0 only.")
            }
        case "redis+sentinel", "redis+sentinels":
            // More likely it ends a password whose / is not encoded.
            guard !components.percentEncodedPath.contains("@") else {
                throw Self.invalid("Its path has a @; a / in the password is written %2F, a @ in the name %40.")
            }
            let path = components.path.split(separator: "/", omittingEmptySubsequences: false).dropFirst()
            guard let name = path.first, !name.isEmpty, path.count <= 2 else {
                throw Self.invalid("It does not name the primary; write redis+sentinel://host:port,…/primary.")
            }
            self.init(
                sentinels: try hosts.map { try Self.address($0, port: 26_379) },
                primaryName: String(name),
                tls: isSecure ? .init() : nil
            )
            database = try Self.database(path.count == 2 ? String(path.last ?? "") : "")
        case "unix":
            guard components.host?.isEmpty ?? true, components.port == nil, components.path.hasPrefix("/"),
                components.path.count > 1
            else {
                throw Self.invalid("It has no absolute path; write unix:///path/to/socket.")
            }
            self.init(address: .unixSocket(path: components.path))
        default:
            throw Self.invalid(
                "Its scheme is none of redis, redis+cluster, redis+sentinel, with or without s, or unix."
            )
        }
        try readCredentials(credentials)
        try readQuery(components.queryItems ?? [])
    }

    /// What stands before the hosts; the hosts, which URLs as such have one of; and the URL with a name in place of both,
    /// and all of its characters legal.
    private static func separateAuthority(
        _ url: String
    ) -> (credentials: Substring, hosts: [Substring], single: String) {
        guard let start = url.firstRange(of: "://")?.upperBound else { return ("", [], url) }
        let end = url[start...].firstIndex { "/?#".contains($0) } ?? url.endIndex
        let at = url[start..<end].lastIndex(of: "@")
        let hosts = url[(at.map { url.index(after: $0) } ?? start)..<end]
        let isUnix = url.lowercased().hasPrefix("unix:")
        let rest = String(url[end...]).addingPercentEncoding(withAllowedCharacters: legal) ?? ""
        return (
            credentials: url[start..<(at ?? start)],
            hosts: isUnix ? [] : hosts.split(separator: ",", omittingEmptySubsequences: false),
            single: "\(url[..<start])\(isUnix ? hosts : "host")\(rest)"
        )
    }

    /// What may stand behind the hosts, with `%` for what is encoded already.
    private static var legal: CharacterSet { CharacterSet.urlQueryAllowed.union(CharacterSet(charactersIn: "%#")) }

    private static func address(_ text: Substring, port standard: Int) throws -> Address {
        // URLs write IPv6 addresses in brackets.
        guard let components = URLComponents(string: "redis://\(text)"), let host = components.host,
            !["", "[]"].contains(host), !host.utf8.contains(0), components.user == nil, components.path.isEmpty
        else { throw invalid("It has no host, or one that cannot be understood.") }
        // The components have none that is too large for an `Int`.
        let digits = text[(text.lastIndex(of: "]") ?? text.startIndex)...].drop { $0 != ":" }.dropFirst()
        guard let port = digits.isEmpty ? standard : Int(digits), (1...65_535).contains(port) else {
            throw invalid("Its port is not between 1 and 65535.")
        }
        let bare = host.hasPrefix("[") && host.hasSuffix("]") ? String(host.dropFirst().dropLast()) : host
        return .hostname(bare, port: port)
    }

    private mutating func readCredentials(_ text: Substring) throws {
        let encoded = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        let parts = try encoded.map { part -> String in
            guard let decoded = String(part).removingPercentEncoding else { throw Self.notAURL }
            return decoded
        }
        username = parts.first.flatMap { $0.isEmpty ? nil : $0 }
        password = parts.count < 2 || parts[1].isEmpty ? nil : parts[1]
        if username != nil, password == nil {
            throw Self.invalid("It has a user but no password; a password alone is written redis://:password@host.")
        }
    }

    private mutating func readQuery(_ items: [URLQueryItem]) throws {
        for item in items {
            switch (item.name, item.value ?? "", topology) {
            case ("db", let value, .single):
                guard case .unixSocket = address else { throw Self.invalid("The database stands in its path.") }
                database = try Self.database(value)
            case ("cacert", let value, _):
                guard tls != nil, !value.isEmpty else { throw Self.invalid("cacert is for TLS and needs a path.") }
                tls?.trust = .file(value)
            case ("protocol", let value, _):
                guard let version = Int(value).flatMap(RESPProtocol.init(rawValue:)) else {
                    throw Self.invalid("protocol is neither 2 nor 3.")
                }
                self.version = version
            case ("reads", let value, .cluster(var cluster)):
                guard let reads = RedisClient.Cluster.Reads(rawValue: value) else {
                    throw Self.invalid("reads is neither primaries nor replicas.")
                }
                cluster.reads = reads
                topology = .cluster(cluster)
            case ("sentinelUser", let value, .sentinel(var sentinel)):
                sentinel.username = value
                topology = .sentinel(sentinel)
            case ("sentinelPassword", let value, .sentinel(var sentinel)):
                sentinel.password = value
                topology = .sentinel(sentinel)
            default:
                throw Self.invalid("It has an unknown query parameter; known here are \(knownParameters).")
            }
        }
        if case .sentinel(let sentinel) = topology, sentinel.username != nil, sentinel.password == nil {
            throw Self.invalid("It has a sentinelUser but no sentinelPassword.")
        }
    }

    private var knownParameters: String {
        switch (topology, address) {
        case (.single, .unixSocket): "protocol and db"
        case (.single, _): "cacert and protocol"
        case (.cluster, _): "cacert, protocol and reads"
        case (.sentinel, _): "cacert, protocol, sentinelUser and sentinelPassword"
        }
    }

    private static func database(_ text: String) throws -> Int {
        if text.isEmpty { return 0 }
        guard let database = Int(text), database >= 0 else { throw invalid("Its database is not a number.") }
        return database
    }

    private static var notAURL: RedisClientError {
        invalid("It is not a URL. Are special characters of the password percent-encoded?")
    }

    private static func invalid(_ reason: String) -> RedisClientError {
        RedisClientError(.invalidURL, "The Redis URL cannot be understood. \(reason)")
    }
}
