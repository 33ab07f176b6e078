import Metrics
import NIOCore

/// One data set: its name, its key in the store, how long it serves, and how it is fetched. Defined once, read
/// anywhere.
///
/// ```swift
/// let agents = Field("agents", key: "agents_list", ttl: .seconds(6 * 3600)) {
///     try await airtable.agents()
/// }
/// ```
/// Who waits for a load gets what the fetcher brought, everybody else what its JSON decodes to (``StoredJSON``): dates
/// without fractions of a second, and without what `CodingKeys` leave out. The two are equal only if the type's JSON keeps
/// all of it.
public struct Field<Value: Codable & Sendable>: FieldReference {
    public let erased: AnyField

    /// A field whose fetcher answers a value or throws.
    ///
    /// - Parameters:
    ///   - name: what people and URLs call it.
    ///   - key: where the store keeps it; the name unless given.
    ///   - ttl: how long a value is fresh.
    ///   - load: fetches the value. Its task inherits nothing from the reader that started it. Unless it throws a
    ///     ``CacheError`` with `sourceFailed`, `sourceTimedOut`, `overloaded`, `circularLoad` or `invalidValue`, readers get
    ///     `sourceFailed`, with what it threw as `underlying` in this process.
    public init(
        _ name: String,
        key: String? = nil,
        ttl: Duration,
        load: @escaping @Sendable () async throws -> Value
    ) {
        self.init(name, key: key, policy: FieldPolicy(ttl: ttl)) { _ in .value(try await load()) }
    }

    /// A field with a whole policy, whose fetcher may answer "not modified", "absent", or details of its value.
    ///
    /// ```swift
    /// let first = Field<Agent>("first_agent", policy: FieldPolicy(ttl: .seconds(60))) { context in
    ///     guard let agent = try await airtable.agents().first else { return .absent }
    ///     return .value(agent)
    /// }
    /// ```
    /// The type is named, as here, where the closure alone does not tell it.
    public init(
        _ name: String,
        key: String? = nil,
        policy: FieldPolicy,
        load: @escaping @Sendable (LoadContext) async throws -> LoadResult<Value>
    ) {
        erased = AnyField(
            name: name,
            key: key ?? name,
            policy: policy,
            decode: { bytes, digest in
                TypedPayload(try StoredJSON.decode(Value.self, from: bytes), bytes: bytes, digest: digest)
            },
            load: { context in
                switch try await load(context) {
                case .value(let value, let details):
                    let bytes = try StoredJSON.encode(value)
                    return .value(TypedPayload(value, bytes: bytes, digest: bytes.sha1), details)
                case .notModified(let details): return .notModified(details)
                case .absent: return .absent
                }
            }
        )
    }

    /// The decoded value of a payload.
    @inlinable
    func value(in payload: Payload) throws -> Value {
        if let typed = payload as? TypedPayload<Value> { return typed.value }
        return try decodedAgain(payload)
    }

    /// Only where two fields of different types share a key.
    @usableFromInline
    func decodedAgain(_ payload: Payload) throws -> Value {
        try StoredJSON.decode(Value.self, from: payload.bytes)
    }
}

/// A ``Field``, whatever the type of its value.
public protocol FieldReference: Sendable {
    /// The field without the type of its value.
    var erased: AnyField { get }
}

/// A field without the type of its value: what a catalogue, a route or a command works with.
public final class AnyField: FieldReference {
    public let name: String
    public let key: String
    public let policy: FieldPolicy

    let decode: @Sendable (ByteBuffer, String) throws -> Payload
    let load: @Sendable (LoadContext) async throws -> LoadResult<Payload>
    let metrics: FieldMetrics
    /// Why it cannot be read.
    let problem: String?

    init(
        name: String,
        key: String,
        policy: FieldPolicy,
        decode: @escaping @Sendable (ByteBuffer, String) throws -> Payload,
        load: @escaping @Sendable (LoadContext) async throws -> LoadResult<Payload>,
        metrics factory: any MetricsFactory = MetricsSystem.factory
    ) {
        self.name = name
        self.key = key
        self.policy = policy
        self.decode = decode
        self.load = load
        self.metrics = FieldMetrics(field: name, factory)
        problem = policy.problems.first.map { "field '\(name)': \($0)" }
    }

    public var erased: AnyField { self }
}
