import Logging
import NIOConcurrencyHelpers

/// One field's schedule: ``RefreshState`` with a lock, a timer and loads.
final class FieldSchedule: Sendable {
    struct Status {
        /// Time until the next refresh; nil while it pauses.
        var next: Duration?
        var isPaused: Bool
    }

    private struct State {
        var machine: RefreshState
        var isRunning = false
        var timer: SpawnedTask?
        var load: SpawnedTask?
    }

    private let field: AnyField
    private let clock: StoreClock
    private let tools: FlightTools
    private let desk: FlightDesk
    private let state: NIOLockedValueBox<State>

    init(_ schedule: RefreshSchedule, of field: AnyField, clock: StoreClock, tools: FlightTools, desk: FlightDesk) {
        self.field = field
        self.clock = clock
        self.tools = tools
        self.desk = desk
        let grid = SlotGrid(schedule, of: field.key)
        state = NIOLockedValueBox(State(machine: RefreshState(grid, idleAfter: field.policy.idleAfter)))
    }

    func start() {
        handle { state in
            guard !state.isRunning else { return [] }
            state.isRunning = true
            return state.machine.start(at: clock.now())
        }
    }

    func stop() {
        let tasks = state.withLockedValue { state in
            state.isRunning = false
            return [state.timer, state.load]
        }
        for task in tasks { task?.cancel() }
    }

    func noteRead() { handle { $0.machine.read(at: self.clock.now()) } }

    /// nil before the start.
    var status: Status? {
        state.withLockedValue { state in
            guard state.isRunning else { return nil }
            let now = clock.now()
            return Status(next: state.machine.next(at: now).map { $0 - now }, isPaused: state.machine.isPaused)
        }
    }

    private func handle(_ event: (inout State) -> [RefreshAction]) {
        let (isPaused, timer) = state.withLockedValue { state in
            let (actions, timer) = (event(&state), state.timer)
            guard state.isRunning, !actions.isEmpty else { return (nil as Bool?, nil as SpawnedTask?) }
            return (perform(actions, &state), timer)
        }
        timer?.cancel()
        if let isPaused {
            tools.logger.info(
                isPaused ? "scheduled refresh pauses until somebody reads the field" : "scheduled refresh goes on",
                metadata: ["field.name": "\(field.name)", "idle.after": "\(field.policy.idleAfter)"]
            )
        }
    }

    /// - Returns: whether it pauses, if that has changed.
    private func perform(_ actions: [RefreshAction], _ state: inout State) -> Bool? {
        var change: Bool?
        for action in actions {
            switch action {
            case .sleep(let time):
                state.timer = tools.spawner.spawn {
                    guard (try? await self.clock.sleep(until: time)) != nil else { return }
                    self.tools.l1.forgetRead(self.field.key)
                    self.handle { $0.machine.wake(at: self.clock.now()) }
                }
            case .ask(let slot):
                state.load = tools.spawner.spawn {
                    let answer = await self.ask(slot)
                    self.handle { $0.machine.answered(answer, at: self.clock.now()) }
                }
            case .tell(let isPaused): change = isPaused
            }
        }
        return change
    }

    private func ask(_ slot: ScheduledSlot) async -> SlotAnswer {
        tools.l1.forgetRead(field.key)
        let answer = await desk.loadAside(field) { [tools, desk, field, clock] id in
            await FlightRunner(tools: tools, desk: desk, field: field, id: id, isScheduled: true)
                .refresh(slot, clock: clock)
        }
        return answer ?? .unavailable
    }
}
