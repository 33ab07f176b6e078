import RedisClient
import UpstashClient

extension StoreLocation {
    /// Where the REST API is, if the store is reached over it.
    ///
    /// - Throws: `UpstashError` for a URL or token that cannot be used.
    var upstash: UpstashClient.Configuration? {
        get throws {
            switch StoreForm(scheme: scheme) {
            case .upstash: try UpstashClient.Configuration(environment: restVariables)
            case .rest: try UpstashClient.Configuration(url: url)
            case .memory, .redis, .cluster, .sentinel, nil: nil
            }
        }
    }

    /// What is wrong with the URL, in words that repeat nothing secret; nil where nothing is.
    ///
    /// - Parameter forms: what may be written in its place.
    func problem(among forms: [StoreForm] = StoreForm.allCases) -> (message: String, advice: String)? {
        guard let form = StoreForm(scheme: scheme) else {
            let message = scheme.isEmpty ? "the store is no URL" : "there is no store at \(scheme)://"
            return (message, "write \(StoreForm.list(forms))")
        }
        switch form {
        case .memory where url.dropFirst("memory://".count).contains { $0 != "/" }:
            return ("memory:// takes neither host nor options", "write memory:// alone")
        case .memory:
            return nil
        case .redis, .cluster, .sentinel:
            return problem(form)
        case .upstash where url.dropFirst("upstash://".count).contains { $0 != "/" }:
            return ("upstash:// takes no host", "write upstash:// alone, or \(StoreForm.rest.text)")
        case .upstash, .rest:
            do {
                return try upstash.flatMap(problem)
            } catch {
                return (
                    (error as? UpstashError)?.message ?? "\(error)",
                    "set UPSTASH_REDIS_REST_URL and UPSTASH_REDIS_REST_TOKEN, or write \(StoreForm.rest.text)"
                )
            }
        }
    }

    /// The token would be everybody's.
    private func problem(_ configuration: UpstashClient.Configuration) -> (message: String, advice: String)? {
        guard NearbyHost.isExposed(configuration.endpoint) else { return nil }
        return ("the token would cross the network in plain text", "write https:// for a host that is far away")
    }

    private func problem(_ form: StoreForm) -> (message: String, advice: String)? {
        let credentials = authority.lastIndex(of: "@").map { authority[..<$0] } ?? ""
        if form != .redis, credentials.contains(where: { $0 == "@" || $0 == "," }) {
            return (
                "user and password stand once, before all hosts",
                "write \(form.text), and %40 for an @ and %2C for a comma in a password"
            )
        }
        do {
            let configuration = try RedisClient.Configuration(url: url)
            if case .cluster(let cluster) = configuration.topology, cluster.reads == .replicas {
                return ("a replica may answer with what was invalidated before", "leave out reads=replicas")
            }
            if let tls = configuration.tls, case .file(let path) = tls.trust, (try? tls.check()) == nil {
                return (
                    "cacert: no certificate can be read from '\(path)'",
                    "name a PEM file, as seen from the working directory"
                )
            }
            return nil
        } catch {
            return ((error as? RedisClientError)?.message ?? "\(error)", "write \(form.text)")
        }
    }
}
