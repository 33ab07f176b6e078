import NIOCore
import Testing

@testable import RedisClient

@Suite struct PoolStateTests {
    private final class Connection: Sendable {}

    private let now = NIODeadline.uptimeNanoseconds(1_000_000_000)

    private typealias State = PoolState<Connection, Int>

    private func take(_ state: inout State, isUsable: Bool = true) -> Connection? {
        switch state.take(isUsable: { _ in isUsable }) {
        case .reuse(let connection):
            return connection
        case .make:
            let connection = Connection()
            return state.made(connection) ? connection : nil
        case .full, .closed:
            return nil
        }
    }

    @Test func givesTheLastUsedAndDropsTheDead() throws {
        var state = State(limit: 2)
        let first = try #require(take(&state))
        let second = try #require(take(&state))
        let third = take(&state)
        #expect(third == nil)
        guard case .keep = state.giveBack(first, isClean: true, at: now),
            case .keep = state.giveBack(second, isClean: true, at: now)
        else { return #expect(Bool(false)) }
        let again = take(&state)
        #expect(again === second)
        let other = take(&state, isUsable: false)
        #expect(other != nil && other !== first)
        // Given back twice.
        guard case .keep = state.giveBack(second, isClean: true, at: now),
            case .discard = state.giveBack(second, isClean: true, at: now)
        else { return #expect(Bool(false)) }
    }

    @Test func servesInOrderAndSkipsThoseWhoLeft() throws {
        var state = State(limit: 1)
        let connection = try #require(take(&state))
        for token in 1...3 { state.wait(UInt64(token), token) }
        let left = state.leave(1)
        #expect(left == 1)
        guard case .hand(to: 2) = state.giveBack(connection, isClean: true, at: now),
            case .discardAndMake(3) = state.giveBack(connection, isClean: false, at: now)
        else { return #expect(Bool(false)) }
        // The place is taken already.
        guard case .full = state.take(isUsable: { _ in true }) else { return #expect(Bool(false)) }
        let isWanted = state.made(Connection())
        #expect(isWanted)
    }

    @Test func givesOnlyNewOnesAfterARenewal() throws {
        var state = State(limit: 2)
        let out = try #require(take(&state))
        let idle = try #require(take(&state))
        guard case .keep = state.giveBack(idle, isClean: true, at: now) else { return #expect(Bool(false)) }
        let renewed = state.renew()
        #expect(renewed.count == 1 && renewed.first === idle)
        state.wait(1, 1)
        guard case .discardAndMake(1) = state.giveBack(out, isClean: true, at: now) else { return #expect(Bool(false)) }
        let new = Connection()
        let isWanted = state.made(new)
        #expect(isWanted)
        guard case .keep = state.giveBack(new, isClean: true, at: now) else { return #expect(Bool(false)) }
    }

    @Test func closesEverythingOnce() throws {
        var state = State(limit: 3)
        let out = try #require(take(&state))
        let idle = try #require(take(&state))
        guard case .keep = state.giveBack(idle, isClean: true, at: now) else { return #expect(Bool(false)) }
        state.wait(9, 9)
        let (connections, waiters) = state.close(.serverLeft)
        #expect(connections.count == 2 && waiters == [9])
        guard case .closed(let reason) = state.take(isUsable: { _ in true }),
            case .discard = state.giveBack(out, isClean: true, at: now)
        else { return #expect(Bool(false)) }
        let (expired, next) = state.expire(unusedSince: .distantFuture)
        let late = state.made(Connection())
        #expect(expired.isEmpty && next == nil && !late)
        #expect(reason.code == .connectionLost)
    }

    @Test func oneLookAtATimeEndsWhatNobodyUses() throws {
        var state = State(limit: 2)
        let (first, second) = (try #require(take(&state)), try #require(take(&state)))
        guard case .keep(isFirst: true) = state.giveBack(first, isClean: true, at: now),
            case .keep(isFirst: false) = state.giveBack(second, isClean: true, at: now + .seconds(1))
        else { return #expect(Bool(false)) }
        let (gone, next) = state.expire(unusedSince: now)
        #expect(gone.count == 1 && gone.first === first && next == now + .seconds(1))
        let used = take(&state)
        #expect(used === second)
        let (none, end) = state.expire(unusedSince: now + .seconds(1))
        #expect(none.isEmpty && end == nil)
        guard case .keep(isFirst: true) = state.giveBack(second, isClean: true, at: now + .seconds(2)) else {
            return #expect(Bool(false))
        }
    }
}
