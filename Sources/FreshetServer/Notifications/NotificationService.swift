public import Freshet
public import Logging
import NIOConcurrencyHelpers

/// Tells somebody of what they should mend: loads of a field that keep failing, stale values served for too long, a
/// refused token, a spent quota, a source that changed after a forced refresh, a store that is lost or back.
///
/// ```swift
/// try registry.registerNotifications(NotificationSettings(webhook: url), logger: logger)
/// let notifications = try await registry.service(.notifications, as: NotificationService.self)
/// notifications.watch(fields)
/// ```
/// A subject is told of once in a quiet period over all processes that share the store, or once a process while the
/// store is away. If the one that tells dies of it, another one does within two minutes. Nothing waits for it, and if
/// the webhook fails that is logged and no more.
public final class NotificationService: CoreService {
    private struct State {
        var policy: NotificationPolicy
        var queue = NoticeQueue(capacity: 64)
        var sending: SpawnedTask?
        /// Waits until what was last told of the store may be put right.
        var correction: (due: MonotonicInstant, task: SpawnedTask)?
    }

    /// Over about a minute.
    private static let attempts = 6
    /// How long a process has for an attempt and the pause after it, before another one may take its place.
    private static let claim = Duration.seconds(90)
    /// How long a dropped notice stays away: it is called for again by each read of a stale value.
    private static let dropPause = Duration.seconds(30)
    /// How long a shutdown waits for what is being sent.
    private static let farewell = Duration.seconds(3)

    private let settings: NotificationSettings
    private let webhook: Webhook
    private let cache: CacheService
    private let spawner: any Spawner
    private let logger: Logger
    private let state: NIOLockedValueBox<State>

    /// - Parameters:
    ///   - cache: has the store by which processes agree on who tells.
    ///   - spawner: where time and tasks come from.
    /// - Throws: `CacheError` with `configuration` for a webhook that is no URL.
    public init(
        _ settings: NotificationSettings,
        cache: CacheService,
        spawner: any Spawner = SystemSpawner(),
        logger: Logger
    ) throws {
        self.settings = settings
        webhook = try Webhook(settings.webhook)
        self.cache = cache
        self.spawner = spawner
        self.logger = logger
        state = NIOLockedValueBox(State(policy: NotificationPolicy(settings)))
    }

    /// Watches the store from now on.
    public func initialize() async throws {
        cache.store.watch { [weak self] event in
            guard let self else { return }
            let now = spawner.now()
            enqueue { $0.notice(of: event, at: now) }
        }
    }

    /// Watches the fields of a cache from now on.
    public func watch(_ fields: FieldCache) {
        fields.watch { [weak self] field, event in
            guard let self, settings.concerns(event) else { return }
            enqueue { $0.notice(of: event, field: field) }
        }
    }

    /// Takes no more notices, and waits three seconds at most for those that are being sent.
    public func shutdown() async throws {
        let (sending, correction) = state.withLockedValue { state in
            state.queue.close()
            return (state.sending, state.correction)
        }
        correction?.task.cancel()
        guard let sending else { return }
        let tooLate = CacheError(.shuttingDown, "notices are left")
        if (try? await withDeadline(Self.farewell, on: spawner, orThrow: tooLate) { await sending.wait() }) == nil {
            logger.warning("notifications are left unsent", metadata: ["webhook.host": "\(webhook.host)"])
            sending.cancel()
            await sending.wait()
        }
    }
}

extension NotificationService {
    private func enqueue(_ decide: (inout NotificationPolicy) -> Notice?) {
        let dropped: Notice? = state.withLockedValue { state in
            defer { correctLater(&state) }
            guard let notice = decide(&state.policy) else { return nil }
            switch state.queue.add(notice) {
            case .start: state.sending = spawner.spawn { await self.sendAll() }
            case .waits: break
            case .dropped:
                state.policy.takeBack(notice, until: spawner.now() + Self.dropPause)
                return notice
            }
            return nil
        }
        if let dropped {
            logger.warning("a notification is dropped", metadata: ["notice.subject": "\(dropped.subject)"])
        }
    }

    /// What was last told of the store may be wrong for a quiet period, but not for longer.
    private func correctLater(_ state: inout State) {
        guard !state.queue.isClosed, let due = state.policy.lastWordDue, due < state.correction?.due ?? .distantFuture
        else { return }
        state.correction?.task.cancel()
        let spawner = spawner
        let task = spawner.spawn { [weak self] in
            // A claim that has not ended in the store by then puts it off.
            guard (try? await spawner.sleep(until: due + .seconds(1))) != nil, let self else { return }
            self.state.withLockedValue { if $0.correction?.due == due { $0.correction = nil } }
            enqueue { $0.lastWord(at: spawner.now()) }
        }
        state.correction = (due, task)
    }

    private func sendAll() async {
        while let notice = state.withLockedValue({ $0.queue.next() }) {
            do {
                if await claim(notice) { try await send(notice) }
            } catch is CancellationError {
                return
            } catch {
                report(notice, "it cannot be encoded")
            }
        }
    }

    /// Whether this process is the one to tell. While the store is away, every process is.
    ///
    /// If it is not, it is quiet for as long as the other one has claimed, and looks again unless that one has told.
    private func claim(_ notice: Notice) async -> Bool {
        let isOurs = try? await set(notice, isTold: false, for: Self.claim, .ifMissing)
        if isOurs ?? true { return true }
        let isTold: Bool? = try? await cache.strict.get(Self.key(notice))
        let rest = try? await cache.strict.ttl(Self.key(notice))
        let end = spawner.now() + (rest.map { $0 == -1 ? settings.quiet : .seconds(max(0, $0)) } ?? Self.claim)
        state.withLockedValue { state in
            if isTold ?? false {
                state.policy.quiet(notice.subject, until: end)
            } else {
                state.policy.takeBack(notice, until: end)
                correctLater(&state)
            }
        }
        return false
    }

    /// Nobody tells for so long, here or elsewhere.
    private func hold(_ notice: Notice, isTold: Bool, for time: Duration) async {
        let end = spawner.now() + time
        state.withLockedValue { $0.policy.quiet(notice.subject, until: end) }
        _ = try? await set(notice, isTold: isTold, for: time, .always)
    }

    private func set(
        _ notice: Notice,
        isTold: Bool,
        for time: Duration,
        _ condition: CacheOptions.Condition
    ) async throws -> Bool {
        let options = CacheOptions(expiry: .after(max(time, .seconds(1))), condition: condition)
        return try await cache.strict.set(Self.key(notice), isTold, options: options) == .stored
    }

    private static func key(_ notice: Notice) -> String { "freshet:notice:\(notice.subject)" }

    private func send(_ notice: Notice) async throws {
        let body = try StoredJSON.encode(notice.escaped)
        var attempt = 0
        while true {
            switch try await webhook.post(body) {
            case .delivered:
                await hold(notice, isTold: true, for: settings.quiet)
                logger.info("told of trouble", metadata: ["notice.subject": "\(notice.subject)"])
                return
            case .refused(let reason):
                return giveUp(notice, for: settings.quiet, reason)
            case .failed(let reason, let retryAfter):
                attempt += 1
                guard attempt < Self.attempts, !state.withLockedValue({ $0.queue.isClosed }) else {
                    return giveUp(notice, for: Self.claim, reason)
                }
                try await spawner.sleep(for: pause(after: attempt, retryAfter))
                await hold(notice, isTold: false, for: Self.claim)
            }
        }
    }

    /// Doubling, and anywhere in the upper half of it; at least what the receiver asked for, a minute at most.
    private func pause(after attempt: Int, _ retryAfter: Duration?) -> Duration {
        let limit = Duration.seconds(1) * (1 << (attempt - 1))
        return max(limit * (0.5 + spawner.fraction() / 2), min(retryAfter ?? .zero, .seconds(60)))
    }

    /// Nobody was told: what is still true is told of once the pause is over.
    private func giveUp(_ notice: Notice, for pause: Duration, _ problem: String) {
        let end = spawner.now() + pause
        state.withLockedValue { state in
            state.policy.takeBack(notice, until: end)
            correctLater(&state)
        }
        report(notice, problem)
    }

    private func report(_ notice: Notice, _ problem: String) {
        logger.warning(
            "a notification could not be delivered",
            metadata: [
                "notice.subject": "\(notice.subject)", "webhook.host": "\(webhook.host)",
                "webhook.problem": "\(problem)",
            ]
        )
    }
}

extension ServiceKey {
    /// The ``NotificationService``.
    public static let notifications: ServiceKey = "notifications"
}

extension ServiceRegistry {
    /// Registers a ``NotificationService`` that depends on the `CacheService`.
    ///
    /// - Throws: `CacheError` with `configuration` if there is one already.
    public func registerNotifications(
        _ settings: NotificationSettings,
        spawner: any Spawner = SystemSpawner(),
        logger: Logger
    ) throws {
        try register(.notifications, dependsOn: [.cache]) { registry in
            try NotificationService(
                settings,
                cache: try await registry.service(.cache),
                spawner: spawner,
                logger: logger
            )
        }
    }
}
