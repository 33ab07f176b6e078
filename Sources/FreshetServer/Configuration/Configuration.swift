import Foundation
public import Freshet
public import FreshetSources
import HTTPAsking

/// What a service serves and how: `freshet.yaml`, the environment and the flags, read and checked.
///
/// ```swift
/// let configuration = try Configuration.load(file: "freshet.yaml", environment: Environment())
/// ```
public struct Configuration: Sendable {
    public var store: StoreLocation
    /// Deadline of every call to the store.
    public var storeTimeout: Duration = .milliseconds(500)
    public var server = ServerSettings()
    public var l1 = L1Settings()
    /// nil notifies nobody.
    public var notifications: NotificationSettings?
    public var airtable = AirtableSettings()
    /// In the order of the file.
    public var fields: [FieldSettings] = []
    /// What is allowed but probably not meant.
    public var warnings: [ConfigurationProblem] = []

    public init(store: StoreLocation = .memory) { self.store = store }
}

/// The in-process tier.
public struct L1Settings: Sendable, Hashable {
    /// What its values may weigh, as `FieldCache.Configuration` counts it.
    public var maxBytes = 64 << 20
    /// How long it trusts itself without a live backplane; with one, ten times as long.
    public var recheck: Duration = .seconds(2)

    public init() {}
}

/// How Airtable is reached; from the environment only.
public struct AirtableSettings: Sendable, Hashable {
    public var token: String?
    /// Airtable's own unless set.
    public var endpoint: String?

    public init() {}
}

extension AirtableSettings: CustomStringConvertible, CustomReflectable {
    /// Whether the token is set; neither the token nor the endpoint, which may hold a password.
    public var description: String { "token \(token == nil ? "not " : "")set" }

    public var customMirror: Mirror { Mirror(self, children: ["description": description]) }
}

/// One field as it is configured.
public struct FieldSettings: Sendable {
    public var name: String
    public var key: String
    public var policy: FieldPolicy
    /// A further path that answers `GET`, `HEAD` and `POST …/refresh` as `/api/fields/{name}` does.
    public var route: String?
    public var source: SourceSettings
    /// Which records are kept, which of their members, in what order; nil leaves the source's value as it is.
    public var transform: RecordTransform?
    /// Changes with the field's settings: what was made under others is not what "not modified" speaks of.
    public var fingerprint: String
    /// Where the file says what the source is.
    var sourcePlace: Place?

    public init(
        name: String,
        key: String,
        policy: FieldPolicy,
        route: String? = nil,
        source: SourceSettings,
        transform: RecordTransform? = nil,
        fingerprint: String = ""
    ) {
        self.name = name
        self.key = key
        self.policy = policy
        self.route = route
        self.source = source
        self.transform = transform
        self.fingerprint = fingerprint
    }
}

/// Where a field's data comes from.
public enum SourceSettings: Sendable, Hashable {
    case airtable(base: String, table: String, view: String?)
    case http(url: String, headers: [String: String])
    case file(path: String)
}

extension SourceSettings: CustomStringConvertible, CustomReflectable {
    /// Of a URL its host alone, and no headers: they may hold a key.
    public var description: String {
        switch self {
        case .airtable(let base, let table, let view):
            "airtable: base \(base), table \(table)\(view.map { ", view \($0)" } ?? "")"
        case .http(let url, _): "http: \(HTTPAsking.url(url)?.host() ?? "(no URL)")"
        case .file(let path): "file: \(path)"
        }
    }

    public var customMirror: Mirror { Mirror(self, children: ["description": description]) }
}
