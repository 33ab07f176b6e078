/// The kinds of store there are, and how their URLs are written: what help texts, advice and the reader of URLs go by.
package enum StoreForm: CaseIterable, Sendable {
    case memory, redis, cluster, sentinel, upstash, rest

    init?(scheme: String) {
        guard let form = Self.allCases.first(where: { $0.schemes.contains(scheme) }) else { return nil }
        self = form
    }

    private var schemes: [String] {
        switch self {
        case .memory: ["memory"]
        case .redis: ["redis", "rediss"]
        case .cluster: ["redis+cluster", "redis+clusters"]
        case .sentinel: ["redis+sentinel", "redis+sentinels"]
        case .upstash: ["upstash"]
        // Without TLS for an endpoint close by.
        case .rest: ["https", "http"]
        }
    }

    /// `redis[s]://user:password@host:port/database`.
    package var text: String {
        switch self {
        case .memory: "memory://"
        case .redis: "redis[s]://user:password@host:port/database"
        case .cluster: "redis+cluster[s]://user:password@host:port,host:port"
        case .sentinel: "redis+sentinel[s]://user:password@host:port,host:port/primary"
        case .upstash: "upstash://"
        case .rest: "https://host?_token=…"
        }
    }

    /// `a, b or c`.
    package static func list(_ forms: [StoreForm]) -> String {
        let texts = forms.map(\.text)
        return texts.count > 1
            ? "\(texts.dropLast().joined(separator: ", ")) or \(texts.last ?? "")" : texts.joined()
    }
}
