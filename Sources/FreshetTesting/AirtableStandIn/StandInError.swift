import Freshet

/// An answer that is no page, in one of the four shapes in which Airtable sends errors, or a web page.
struct StandInError: Error, Hashable {
    var status: Int
    var body: Body

    enum Body: Hashable {
        case typed(String, message: String?)
        case word(String)
        case list(String, message: String)
        case html
    }

    init(_ status: Int, _ type: String, _ message: String?) {
        self.status = status
        body = .typed(type, message: message)
    }

    init(status: Int, body: Body) {
        self.status = status
        self.body = body
    }

    static func invalidRequest(_ message: String) -> Self { Self(422, "INVALID_REQUEST_UNKNOWN", message) }

    static let notFound = Self(status: 404, body: .word("NOT_FOUND"))
    static let unauthenticated = Self(401, "AUTHENTICATION_REQUIRED", "Authentication required")
    static let forbidden = Self(
        403,
        "INVALID_PERMISSIONS_OR_MODEL_NOT_FOUND",
        "Invalid permissions, or the requested model was not found."
    )
    static let iteratorGone = Self(422, "LIST_RECORDS_ITERATOR_NOT_AVAILABLE", nil)
    static let invalidOffset = Self(422, "INVALID_OFFSET_VALUE", "The value of offset is invalid")
    static let tooLong = Self(status: 414, body: .html)
    static let tooLarge = Self(status: 413, body: .html)
    static let rateLimited = Self(
        status: 429,
        body: .list("RATE_LIMIT_REACHED", message: "Rate limit exceeded. Please try again later")
    )
    static let quotaSpent = Self(
        status: 429,
        body: .list(
            "PUBLIC_API_BILLING_LIMIT_EXCEEDED",
            message: "The API billing plan limit has been exceeded for this month"
        )
    )

    /// What is sent with a status when a fault asks for it.
    static func ofStatus(_ status: Int) -> Self {
        switch status {
        case 401: unauthenticated
        case 403: forbidden
        case 404: notFound
        case 413: tooLarge
        case 414: tooLong
        case 422: invalidRequest("Invalid request: parameter validation failed")
        case 429: rateLimited
        case 500: Self(500, "SERVER_ERROR", "The server encountered an unexpected condition")
        case 502, 503, 504: Self(status: status, body: .html)
        default: Self(status, "UNKNOWN", nil)
        }
    }

    /// The body; nil for a web page.
    var json: JSONValue? {
        switch body {
        case .typed(let type, nil): ["error": ["type": .string(type)]]
        case .typed(let type, let message?): ["error": ["type": .string(type), "message": .string(message)]]
        case .word(let word): ["error": .string(word)]
        case .list(let type, let message): ["errors": [["error": .string(type), "message": .string(message)]]]
        case .html: nil
        }
    }
}
