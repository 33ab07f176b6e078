import Foundation
import Freshet
import HTTPAsking
import NIOCore

/// The cause of an error that lasts until somebody corrects the token, the ids or the query.
package struct AirtableMistake: Error {}

/// An answer of Airtable that is not 200, read from any of the four shapes of its error bodies, or from none.
struct AirtableRefusal {
    enum Kind: Hashable {
        case rateLimit
        case quota
        case iteratorGone
        case unknownColumn
        case transient
        case final
    }

    let kind: Kind
    private let status: Int
    private let type: String?
    private let message: String?
    private let name: String
    private let token: String

    /// - Parameter token: what is not to be quoted, whoever repeats it.
    init(status: Int, body: ByteBuffer?, list: AirtableList, token: String) {
        self.status = status
        self.token = token
        name = list.name
        let json = body.flatMap { try? StoredJSON.decode(JSONValue.self, from: $0) }
        switch json?["error"] {
        case .object(let error): (type, message) = (error["type"]?.string, error["message"]?.string)
        case .string(let word): (type, message) = (word, nil)
        default:
            let first = json?["errors"]?.array?.first
            (type, message) = (first?["error"]?.string, first?["message"]?.string)
        }
        kind =
            switch (status, type) {
            case (402, _), (429, "PUBLIC_API_BILLING_LIMIT_EXCEEDED"?): .quota
            case (429, _): .rateLimit
            case (_, "LIST_RECORDS_ITERATOR_NOT_AVAILABLE"?): .iteratorGone
            case (422, "UNKNOWN_FIELD_NAME"?): .unknownColumn
            case (502, _), (503, _), (504, _): .transient
            default: .final
            }
    }

    /// - Parameters: how long a rate limit and a spent quota close the base.
    func failure(rateLimit: Duration, quota: Duration) -> PageFailure {
        switch kind {
        case .rateLimit: .final(CacheError(.overloaded, text, retryAfter: rateLimit))
        case .quota: .final(CacheError(.sourceFailed, text, retryAfter: quota).because(of: .quota))
        case .iteratorGone: .iteratorGone(CacheError(.sourceFailed, text))
        case .unknownColumn: .unknownColumn(CacheError(.sourceFailed, text))
        case .transient: .transient(CacheError(.sourceFailed, text))
        case .final where [401, 403].contains(status):
            .final(CacheError(.sourceFailed, text, underlying: AirtableMistake()).because(of: .credentials))
        case .final where [404, 422].contains(status):
            .final(CacheError(.sourceFailed, text, underlying: AirtableMistake()))
        case .final: .final(CacheError(.sourceFailed, text))
        }
    }

    /// What to do first, since that is what a reader looks for; what Airtable said last.
    private var text: String {
        let said = [type, message].compactMap { $0 }.joined(separator: ": ")
        let quoted = said.isEmpty ? "" : " – Airtable says: \(said.hiding(token).printable(200))"
        return "\(name): \(advice) (\(status))\(quoted)"
    }

    private var advice: String {
        switch (status, type) {
        case (401, _): "Airtable does not accept the token; check AIRTABLE_TOKEN"
        case (402, _): "the workspace has used up what its plan allows; wait, or upgrade the plan"
        case (403, _):
            "the base or table is gone, or the token has no access to it; check the ids and what the token was granted"
        case (404, _): "Airtable knows no such address; check the base id and the endpoint"
        case (413, _), (414, _): "the request is too large for Airtable; shorten the formula or the list of fields"
        case (422, "VIEW_NAME_NOT_FOUND"?), (422, "VIEW_ID_NOT_FOUND"?): "the table has no such view"
        case (422, "UNKNOWN_FIELD_NAME"?): "the table has no such column; check fields and sort"
        case (422, "INVALID_FILTER_BY_FORMULA"?): "Airtable cannot read the formula"
        case (422, "LIST_RECORDS_ITERATOR_NOT_AVAILABLE"?):
            "Airtable forgot the iteration more often than we start over"
        case (422, _): "Airtable refuses the query"
        case (429, "PUBLIC_API_BILLING_LIMIT_EXCEEDED"?):
            "the workspace has spent its API calls for this month; wait for the next month or upgrade the plan"
        case (429, _): "too many requests to the base; nobody asks it for a while"
        case (500..., _): "Airtable has a failure of its own"
        default: "Airtable gave an answer that has no meaning here"
        }
    }
}
