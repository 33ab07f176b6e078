import Foundation

extension UpstashClient.Configuration {
    /// The pairs of variables that are looked for, in this order: Upstash's own, and those of Vercel.
    public static let environmentPairs: [(url: String, token: String)] = [
        ("UPSTASH_REDIS_REST_URL", "UPSTASH_REDIS_REST_TOKEN"), ("KV_REST_API_URL", "KV_REST_API_TOKEN"),
    ]

    /// Reads URL and token from environment variables: the first of ``environmentPairs`` whose URL is set.
    ///
    /// - Parameter environment: that of the process, if none is given.
    /// - Throws: ``UpstashError`` with ``UpstashError/Code/invalidConfiguration``, which names the variable.
    public init(environment: [String: String]? = nil) throws {
        let environment = environment ?? ProcessInfo.processInfo.environment
        func value(_ name: String) -> String? {
            environment[name].map(PastedText.trimmed).flatMap { $0.isEmpty ? nil : $0 }
        }
        for pair in Self.environmentPairs {
            guard let url = value(pair.url) else { continue }
            guard let token = value(pair.token) else {
                throw Endpoint.invalid("\(pair.url) is set, but \(pair.token) is not.")
            }
            do {
                try self.init(url: url, token: token)
            } catch let error as UpstashError {
                throw Endpoint.invalid("\(pair.url), \(pair.token): \(error.message)")
            }
            return
        }
        for pair in Self.environmentPairs where value(pair.token) != nil {
            throw Endpoint.invalid("\(pair.token) is set, but \(pair.url) is not.")
        }
        throw Endpoint.invalid("UPSTASH_REDIS_REST_URL and UPSTASH_REDIS_REST_TOKEN are not set.")
    }

    /// Reads `https://host?_token=…`.
    ///
    /// - Throws: ``UpstashError`` with ``UpstashError/Code/invalidConfiguration``.
    public init(url: String) throws {
        guard var parts = URLComponents(string: url, encodingInvalidCharacters: false) else {
            throw Endpoint.invalid("The REST URL is no URL; what no URL may hold is to be percent-encoded.")
        }
        let items = parts.queryItems ?? []
        guard items.count == 1, items[0].name == "_token", let token = items[0].value else {
            throw Endpoint.invalid("The REST URL needs its token: https://host?_token=…, and no other parameter.")
        }
        parts.queryItems = nil
        try self.init(url: parts.string ?? "", token: token)
    }
}
