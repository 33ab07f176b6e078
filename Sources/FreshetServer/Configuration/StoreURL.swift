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
    var problem: (message: String, advice: String)? {
        guard let form = StoreForm(scheme: scheme) else {
            let message = scheme.isEmpty ? "the store is no URL" : "there is no store at \(scheme)://"
            return (message, "write \(StoreForm.list(StoreForm.allCases))")
        }
        switch form {
        case .memory:
            return nil
        case .redis, .cluster, .sentinel:
            return problem(advice: "write \(form.text)")
        case .upstash where url.dropFirst("upstash://".count).contains { $0 != "/" }:
            return ("upstash:// takes no host", "write upstash:// alone, or \(StoreForm.rest.text)")
        case .upstash, .rest:
            do {
                _ = try upstash
                return nil
            } catch {
                return (
                    (error as? UpstashError)?.message ?? "\(error)",
                    "set UPSTASH_REDIS_REST_URL and UPSTASH_REDIS_REST_TOKEN, or write \(StoreForm.rest.text)"
                )
            }
        }
    }

    private func problem(advice: String) -> (message: String, advice: String)? {
        do {
            let configuration = try RedisClient.Configuration(url: url)
            if case .cluster(let cluster) = configuration.topology, cluster.reads == .replicas {
                return ("a replica may answer with what was invalidated before", "leave out reads=replicas")
            }
            return nil
        } catch {
            return ("\(error)", advice)
        }
    }
}
