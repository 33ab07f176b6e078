import HTTPTypes

extension HTTPFields {
    /// Adds a field behind the others. A name that HTTP does not allow, which a constant never is, adds nothing.
    mutating func add(_ name: HTTPField.Name?, _ value: String) {
        if let name { append(HTTPField(name: name, value: value)) }
    }

    /// The same as the subscript, which takes ten times as long where there is one.
    func text(of name: HTTPField.Name) -> String? {
        var text: String?
        for field in self where field.name == name {
            if text != nil { return self[name] }
            text = field.value
        }
        return text
    }

    /// One a line.
    func values(of name: HTTPField.Name?) -> [String] {
        name.map { self[values: $0] } ?? []
    }
}

extension Optional<HTTPField.Name> {
    /// RFC 9211.
    static let cacheStatus = HTTPField.Name("Cache-Status")
    /// The first one, or the target's host, is the request's authority, and no field.
    static let furtherHost = HTTPField.Name("Host")
    static let pragma = HTTPField.Name("Pragma")
    static let secFetchSite = HTTPField.Name("Sec-Fetch-Site")
}
