package import NIOHTTP1

extension HTTPAsking {
    /// The type of a body without its parameters, in lower case; empty where the headers say nothing of it.
    package static func mediaType(_ headers: HTTPHeaders) -> String {
        (headers.first(name: "content-type") ?? "").prefix { $0 != ";" && $0 != " " && $0 != "\t" }.lowercased()
    }
}
