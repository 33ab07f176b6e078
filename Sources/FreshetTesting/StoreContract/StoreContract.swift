public import Freshet

/// What every store promises, as a list of checks that run under any test framework.
///
/// ```swift
/// @Test(arguments: StoreContract.checks)
/// func keeps(_ check: StoreContract.Check) async throws {
///     try await check.run(on: StoreContract.Subject { MyStore() })
/// }
/// ```
/// A check uses keys of its own with a random prefix, so that the stores may share a server.
public enum StoreContract {
    /// The store under test.
    public struct Subject: Sendable {
        let makeStore: @Sendable () async throws -> any CacheStore
        let passTime: @Sendable (Duration) async throws -> Void

        /// - Parameters:
        ///   - makeStore: makes the store, once for each check.
        ///   - passTime: lets at least so much time pass for the store; by default by waiting for it. No check asks
        ///     for more than some milliseconds at once.
        public init(
            _ makeStore: @escaping @Sendable () async throws -> any CacheStore,
            passTime: @escaping @Sendable (Duration) async throws -> Void = { try await Task.sleep(for: $0) }
        ) {
            self.makeStore = makeStore
            self.passTime = passTime
        }
    }

    /// One promise.
    public struct Check: Sendable, CustomStringConvertible {
        public let name: String
        let body: @Sendable (StoreTrial) async throws -> Void

        public var description: String { name }

        init(_ name: String, _ body: @escaping @Sendable (StoreTrial) async throws -> Void) {
            self.name = name
            self.body = body
        }

        /// - Throws: ``Violation``, or what the store threw.
        public func run(on subject: Subject) async throws {
            let store = try await subject.makeStore()
            do {
                try await body(StoreTrial(store: store, passTime: subject.passTime))
            } catch var violation as Violation {
                violation.check = name
                throw violation
            }
        }
    }

    /// A promise was broken.
    public struct Violation: Error, CustomStringConvertible {
        public internal(set) var check = ""
        public let message: String
        /// Where in the suite.
        public let line: UInt

        public var description: String { "\(check): \(message) (line \(line))" }
    }

    /// All of them.
    public static let checks: [Check] =
        strings + conditions + expiries + counters + hashes + reads + comparisons + adoptions + leases + forcedLeases
        + fills + schedules + foreignWrites + invalidations + failures + oddities + garbledCompanions + concurrency
}
