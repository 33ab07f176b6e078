import Freshet

/// The catalogue as it is sent.
package struct Catalogue: Codable, Sendable {
    package var fields: [CatalogueEntry]
    /// `up` or `down`.
    package var store: String
}

package struct CatalogueEntry: Codable, Sendable {
    package struct Policy: Codable, Sendable {
        package var ttl, staleWhileRevalidate, staleIfError, staleIfErrorThrottle, negativeTTL: String
        package var errorBackoff, hardDeadline, minRefreshInterval, httpMaxAge: String
        package var softDeadline, settle: String?
        /// A time or a cron expression.
        package var refreshEvery: String?
        package var idleAfter: String?
        /// From 0 to 1.
        package var jitter: Double
        package var backgroundCompletion: Bool
    }

    package struct State: Codable, Sendable {
        /// `fresh`, `stale`, `absent`, `gone` or `unknown`.
        package var freshness: String
        /// Seconds.
        package var age: Double?
        /// Seconds; negative once it is stale.
        package var ttl: Double?
        package var bytes: Int?
        package var isLoading: Bool
        /// What the last load failed with.
        package var failure: String?
        /// Seconds until the next scheduled refresh.
        package var nextRefresh: Double?
        /// Whether scheduled refresh pauses, because nobody reads the field.
        package var isIdle: Bool
    }

    package var name: String
    package var key: String
    package var route: String?
    package var policy: Policy
    package var state: State
    /// What may be wrong with the policy, as far as this node has seen.
    package var advice: [String] = []
}

extension CatalogueEntry {
    init(_ field: AnyField, _ state: FieldState, route: String?) {
        let policy = field.policy
        name = field.name
        key = field.key
        self.route = route
        self.policy = Policy(
            ttl: policy.ttl.configurationText,
            staleWhileRevalidate: policy.staleWhileRevalidate.configurationText,
            staleIfError: policy.staleIfError.configurationText,
            staleIfErrorThrottle: policy.staleIfErrorThrottle.configurationText,
            negativeTTL: policy.negativeTTL.configurationText,
            errorBackoff: policy.errorBackoff.configurationText,
            hardDeadline: policy.hardDeadline.configurationText,
            minRefreshInterval: policy.minRefreshInterval.configurationText,
            httpMaxAge: policy.httpMaxAge.configurationText,
            softDeadline: policy.softDeadline?.configurationText,
            settle: policy.settle?.configurationText,
            refreshEvery: policy.refreshEvery?.configurationText,
            idleAfter: policy.refreshEvery.map { _ in policy.idleAfter.configurationText },
            jitter: policy.jitter,
            backgroundCompletion: policy.backgroundCompletion
        )
        self.state = State(state)
    }
}

extension CatalogueEntry.State {
    init(_ state: FieldState) {
        freshness = state.freshness.rawValue
        age = state.age?.inSeconds
        ttl = state.timeToLive?.inSeconds
        bytes = state.bytes
        isLoading = state.isLoading
        failure = state.failure
        nextRefresh = state.nextRefresh?.inSeconds
        isIdle = state.isIdle
    }
}

extension RefreshSchedule {
    fileprivate var configurationText: String { interval?.configurationText ?? description }
}
