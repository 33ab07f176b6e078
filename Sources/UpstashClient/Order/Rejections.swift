import RESP

/// Sorts the answers of a request: while the service takes no writes it runs nothing of them, so they may be sent
/// again.
struct Rejections {
    struct Answer {
        let job: Job
        let values: [RESPValue]

        fileprivate var isRejected: Bool {
            values.allSatisfy { $0.error?.code == .readOnly }
                && !zip(job.piece.commands, values).contains(where: isMadeUp)
        }

        /// Whether the error may be one that a script has answered with, after all that it did.
        private func isMadeUp(_ command: RESPCommand, _ value: RESPValue) -> Bool {
            command.runsScript && value.error?.isServersRefusal == false
        }
    }

    private(set) var settled: [Answer] = []
    private(set) var again: [Answer] = []

    /// - Parameter answers: in the order in which the service ran them.
    init(_ answers: [Answer]) {
        guard answers.contains(where: \.isRejected) else {
            settled = answers
            return
        }
        let isRejected = Self.isRejected(answers)
        var ofRejected = Footprint()
        for (answer, isRejected) in zip(answers, isRejected) {
            let own = Footprint(CollectionOfOne(answer.job)).ofKeysAndChannels
            // A read behind it was answered from a state before the write.
            if isRejected || answer.job.piece.isReadOnly && own.depends(on: ofRejected) {
                if isRejected { ofRejected.formUnion(own) }
                again.append(answer)
            } else {
                settled.append(answer)
            }
        }
    }

    /// Not a write behind which another one was run that it would undo.
    private static func isRejected(_ answers: [Answer]) -> [Bool] {
        var written = Footprint()
        return Array(
            answers.reversed().map { answer in
                let own = Footprint(CollectionOfOne(answer.job)).ofKeysAndChannels
                if answer.isRejected { return !written.depends(on: own) }
                if !answer.job.piece.isReadOnly { written.formUnion(own) }
                return false
            }.reversed()
        )
    }
}
