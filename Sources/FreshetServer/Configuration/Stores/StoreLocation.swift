import UpstashClient

/// Which store to use, and who said so.
public struct StoreLocation: Sendable, Hashable {
    /// Who named the store.
    public enum Origin: Sendable, Hashable, CustomStringConvertible {
        case flag
        case environment(String)
        case file
        /// Nobody said anything.
        case fallback

        public var description: String {
            switch self {
            case .flag: "--store"
            case .environment(let name): name
            case .file: "store"
            case .fallback: "default"
            }
        }
    }

    /// May hold a password: ``description`` does not.
    public let url: String
    public let origin: Origin
    /// What `upstash://` stands for.
    let restVariables: [String: String]

    /// - Parameter environment: where `upstash://` finds URL and token.
    public init(url: String, origin: Origin, environment: Environment = Environment([:])) {
        self.url = url
        self.origin = origin
        var variables: [String: String] = [:]
        for pair in UpstashClient.Configuration.environmentPairs {
            variables[pair.url] = environment[pair.url]
            variables[pair.token] = environment[pair.token]
        }
        restVariables = variables
    }

    /// The embedded store.
    public static let memory = StoreLocation(url: "memory://", origin: .fallback)

    public var isMemory: Bool { StoreForm(scheme: scheme) == .memory }

    /// Whether the embedded store is used because none was named.
    public var isFallback: Bool { origin == .fallback }

    var scheme: String {
        guard let end = url.firstRange(of: "://") else { return "" }
        return url[..<end.lowerBound].lowercased()
    }

    /// Everything up to options; user and password first.
    var authority: Substring {
        guard let end = url.firstRange(of: "://") else { return "" }
        return url[end.upperBound...].prefix { $0 != "?" && $0 != "#" }
    }
}

extension StoreLocation {
    /// The first that is set: flag, `FRESHET_STORE`, the file's `store:`, Upstash's pair, Vercel's pair, `REDIS_URL`,
    /// memory. A token without its URL is no store, and not passed over either where there is no other.
    public static func resolve(flag: String?, file: String?, environment: Environment) -> StoreLocation {
        if let flag { return StoreLocation(url: flag, origin: .flag, environment: environment) }
        if let url = environment["FRESHET_STORE"] {
            return StoreLocation(url: url, origin: .environment("FRESHET_STORE"), environment: environment)
        }
        if let file { return StoreLocation(url: file, origin: .file, environment: environment) }
        let pairs = UpstashClient.Configuration.environmentPairs
        if let upstash = upstash(pairs.map(\.url), environment) { return upstash }
        if let url = environment["REDIS_URL"] { return StoreLocation(url: url, origin: .environment("REDIS_URL")) }
        return upstash(pairs.map(\.token), environment) ?? .memory
    }

    private static func upstash(_ names: [String], _ environment: Environment) -> StoreLocation? {
        names.first { environment[$0] != nil }
            .map { StoreLocation(url: "upstash://", origin: .environment($0), environment: environment) }
    }
}

extension StoreLocation: CustomStringConvertible, CustomReflectable {
    /// Scheme and host, without user, password and token.
    public var description: String {
        if scheme == "upstash", let upstash = try? upstash { return "upstash (\(upstash.endpoint))" }
        guard !scheme.isEmpty else { return "(no URL)" }
        let host = authority.lastIndex(of: "@").map { authority[authority.index(after: $0)...] } ?? authority
        return "\(scheme)://\(host)"
    }

    public var customMirror: Mirror { Mirror(self, children: ["description": description]) }
}
