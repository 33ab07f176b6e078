import NIOConcurrencyHelpers

extension FlightDesk {
    /// Answers those whom a value out of a cache will do, now and as they come; the flight goes on.
    func answerReaders(_ id: FlightID, _ interim: InterimAnswer) {
        let (old, due): (InterimAnswer?, Meanwhile) = state.withLockedValue { state in
            let old = state.runs[id]?.interim
            state.runs[id]?.interim = interim
            let entry = interim.answer.entry
            if state.table.mayKeep(id, of: entry.generation, checkedAt: entry.checkedAt) {
                return (old, takeReaders(id, with: interim.answer, &state))
            }
            // From before a forced load: as that has left what readers had been given.
            if let forcedAt = state.table.forcedAt(id), entry.checkedAt <= forcedAt {
                let isRemoved = state.runs[id]?.isRefuted ?? false
                invalidateInterim(id, isRemoved ? .remove : .expire, of: nil, &state)
            }
            return (old, meanwhile(in: id, .read, &state))
        }
        perform(due, in: id)
        withExtendedLifetime(old) {}
    }

    /// Once the soft deadline is over, readers get whatever is kept.
    ///
    /// - Parameter known: nil of a flight that waits for its turn, whose readers get what is held then.
    /// - Returns: what waits for that, to be cancelled when the load has ended.
    func answerLateReaders(_ id: FlightID, _ known: FlightAnswer?, at instant: MonotonicInstant) -> SpawnedTask {
        spawner.spawn {
            // A flight that had to wait for its turn keeps the deadline that it had there.
            let instant = self.state.withLockedValue { min(instant, $0.runs[id]?.lateAt ?? instant) }
            guard (try? await self.spawner.sleep(until: instant)) != nil, !Task.isCancelled else { return }
            let due: Meanwhile = self.state.withLockedValue { state in
                self.lendHeld(to: id, &state)
                guard let run = state.runs[id], !run.isRefuted, let answer = run.interim?.answer ?? known
                else { return .wait }
                state.runs[id]?.interim = InterimAnswer(answer: answer, isLate: true)
                return self.meanwhile(in: id, .read, &state)
            }
            self.perform(due, in: id)
        }
    }

    /// A flight that waits for its turn has asked nobody: its readers get what is held, once the store has confirmed that.
    ///
    /// - Parameter isLate: whether its soft deadline is over.
    private func lendHeld(to id: FlightID, isLate: Bool = false, _ state: inout State) {
        guard state.table.isReadInQueue(id), let run = state.runs[id], run.interim == nil,
            let held = l1.peek(run.field.key)
        else { return }
        let answer = FlightAnswer(entry: held, origin: .cached(.l1))
        state.runs[id]?.interim = InterimAnswer(answer: answer, isLate: isLate)
        state.runs[id]?.isDoubtful = true
        state.runs[id]?.isRefuted = false
    }

    /// The key has been invalidated: those who wait for their turn get what that has left.
    ///
    /// - Returns: what they were to get, to be let go of under no lock.
    func lendHeldAnew(of key: String, _ state: inout State) -> InterimAnswer? {
        guard let id = state.table.queued(of: key), let old = state.runs[id]?.interim else { return nil }
        state.runs[id]?.interim = nil
        lendHeld(to: id, isLate: old.isLate, &state)
        return old
    }

    /// The store has been asked what it holds; nil where that is nothing.
    ///
    /// - Parameters:
    ///   - checked: what readers were to get. If that is another by now, or nothing, the answer is about none of theirs.
    ///   - generation: of the answer. If the last message told of another, the store is asked once more: at once, where that
    ///     message has left something else or has come meanwhile, or when the next one comes.
    func checkedInterim(_ id: FlightID, _ checked: Entry, _ answer: FlightAnswer?, of generation: Generation?) {
        let (old, due): (InterimAnswer?, Meanwhile) = state.withLockedValue { state in
            state.runs[id]?.isChecking = false
            guard let run = state.runs[id], let old = run.interim, old.answer.entry === checked else {
                return (nil, meanwhile(in: id, .read, &state))
            }
            guard let answer else { return (old, refuteInterim(id, &state)) }
            guard state.table.mayAnswer(id, of: generation) else {
                state.runs[id]?.isDoubtful = true
                guard let held = l1.peek(run.field.key), held !== checked else {
                    // The message that tells of the answer's may be on its way: the store is asked again when it has come.
                    state.runs[id]?.awaitsMessage = !run.isToldMeanwhile
                    return (old, meanwhile(in: id, .read, &state))
                }
                state.runs[id]?.interim?.answer = FlightAnswer(entry: held, origin: .cached(.l1))
                return (old, meanwhile(in: id, .read, &state))
            }
            state.runs[id]?.isDoubtful = false
            state.runs[id]?.interim?.answer = answer
            guard let end = state.runs[id]?.interim?.end(under: run.field.policy), spawner.now() < end else {
                return (old, .wait)
            }
            return (old, takeReaders(id, with: answer, &state))
        }
        perform(due, in: id)
        withExtendedLifetime(old) {}
    }

    /// Readers are to get nothing any more before the load has ended.
    private func refuteInterim(_ id: FlightID, _ state: inout State) -> Meanwhile {
        state.runs[id]?.interim = nil
        state.runs[id]?.isRefuted = true
        return .wait
    }

    /// Somebody has changed what is stored: the store is asked before anybody else gets what a flight's readers got.
    func suspectInterim(_ id: FlightID, _ state: inout State) {
        let entry = state.runs[id]?.interim?.answer.entry.suspectedAsWritten(at: spawner.now())
        if let entry { state.runs[id]?.interim?.answer.entry = entry }
    }

    /// What a flight's readers got is from before a forced load: they get it as the invalidation leaves it, if the store
    /// still has it.
    func invalidateInterim(
        _ id: FlightID,
        _ invalidation: Invalidation,
        of generation: Generation?,
        _ state: inout State
    ) {
        let entry = state.runs[id]?.interim?.answer.entry
        if let entry = entry?.invalidated(invalidation, at: spawner.now(), of: generation) {
            state.runs[id]?.interim?.answer.entry = entry
        } else {
            state.runs[id]?.interim = nil
            if invalidation == .remove || entry != nil { state.runs[id]?.isRefuted = true }
        }
    }

    /// Whoever comes from now on is given nothing before the load has ended, until there is another answer.
    func forgetInterim(_ id: FlightID) {
        let old: InterimAnswer? = state.withLockedValue { state in
            defer { state.runs[id]?.interim = nil }
            return state.runs[id]?.interim
        }
        withExtendedLifetime(old) {}
    }

    enum Meanwhile {
        case wait
        /// Whoever is answered may have been the last whom a flight that was overtaken ran for.
        case answer([Waiter], FlightAnswer, FlightTurn)
        /// Ask the store first: this has not been checked for too long, or another process has changed the key since.
        case check(AnyField, FlightAnswer)
    }

    /// What those get who wait in a flight.
    func meanwhile(in id: FlightID, _ want: FlightWant, _ state: inout State) -> Meanwhile {
        lendHeld(to: id, &state)
        let now = spawner.now()
        guard let run = state.runs[id], let interim = run.interim, now < interim.end(under: run.field.policy),
            want.accepts(interim.answer.entry, at: now)
        else { return .wait }
        let answer = interim.answer
        let isBelieved = !run.isDoubtful && state.table.mayKeep(id, of: answer.entry.generation)
        if isBelieved, trust.covers(answer.entry, at: now) {
            return takeReaders(id, with: answer, &state)
        }
        guard !run.isChecking, !run.awaitsMessage else { return .wait }
        state.runs[id]?.isChecking = true
        state.runs[id]?.isToldMeanwhile = false
        return .check(run.field, answer)
    }

    /// Takes out those whom an answer will do.
    private func takeReaders(_ id: FlightID, with answer: FlightAnswer, _ state: inout State) -> Meanwhile {
        let (now, entry) = (spawner.now(), answer.entry)
        let isFresh = now < entry.freshUntil
        let (waiters, turn) = state.table.answerReaders(id, loadedAt: entry.loadedAt, isFresh: isFresh, at: now)
        return .answer(waiters, answer, turn)
    }

    func perform(_ meanwhile: Meanwhile, in id: FlightID) {
        switch meanwhile {
        case .wait: break
        case .answer(let waiters, let answer, let turn):
            for waiter in waiters { waiter.resume(returning: .answered(answer)) }
            carryOut(turn)
        case .check(let field, let answer):
            spawner.spawn { await self.checker(self, field, id, answer) }
        }
    }
}
