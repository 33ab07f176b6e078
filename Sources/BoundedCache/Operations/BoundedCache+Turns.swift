/// Who waits for an update of a key, and in which order they have their turns; see ``Turn``.
extension BoundedCache {
    /// Takes the core's lock when it is this thread's turn to change `key`, and gives the time. A thread in an update
    /// does not wait.
    func lockCore(afterUpdatesOf key: Key, _ hash: UInt32) -> UInt64 {
        var turn: Turn<Key>?
        while true {
            let now = clock.now
            coreLock.pointee.lock()
            guard mustWait(turn, key, hash), !UpdatingThread.isInside else {
                leave(turn)
                return now
            }
            unlockCoreAndWait(&turn, key, hash)
        }
    }

    /// Whether an update has the key, or another thread has its turn before this one; a thread in an update, which must
    /// not wait, lets nobody go first.
    func mustWait(_ turn: Turn<Key>?, _ key: Key, _ hash: UInt32) -> Bool {
        if updates.contains(where: { $0.hash == hash && $0.key == key }) { return true }
        guard !turns.isEmpty, !UpdatingThread.isInside else { return false }
        let line = turns.filter { $0.hash == hash && $0.key == key }
        guard let next = line.first(where: \.isReader) ?? line.first, next !== turn else { return false }
        guard turn == nil, next.overtaken < Turn<Key>.mostOvertaken else { return true }
        next.overtaken += 1
        return false
    }

    /// Unlocks the core, and waits for anything to change, with a place in line from now on.
    func unlockCoreAndWait(_ turn: inout Turn<Key>?, _ key: Key, _ hash: UInt32, isReader: Bool = false) {
        if turn == nil {
            let last = Turn(key, hash, isReader: isReader)
            turn = last
            turns.append(last)
        }
        let round = waitingRoom.currentRound()
        core.pointee.waiters += 1
        coreLock.pointee.unlock()
        waitingRoom.wait(outRound: round)
        coreLock.pointee.lock()
        core.pointee.waiters -= 1
        coreLock.pointee.unlock()
    }

    /// Gives up a place in line; the core's lock is held.
    func leave(_ turn: Turn<Key>?) {
        guard let turn else { return }
        turns.removeAll { $0 === turn }
        if core.pointee.waiters > 0 { waitingRoom.callEveryone() }
    }
}
