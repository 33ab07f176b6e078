import NIOCore
import RESP

extension RoutedExecutor {
    /// - Parameter errors: what looks like refusals of the node's.
    func verdicts(on errors: [ScriptError], of node: RedisNode, deadline: NIODeadline) async -> [ScriptError.Verdict] {
        var pipeline: [RESPCommand] = []
        var places: [ScriptError.Question: Int] = [:]
        for question in errors.map(\.question) where places[question] == nil {
            if question.isAsking { pipeline.append(Self.asking) }
            places[question] = pipeline.count
            pipeline.append(question.command)
        }
        let answers = try? await node.run(pipeline, deadline: deadline)
        let verdicts = errors.map { error in
            let answer = places[error.question].flatMap { answers?[$0] }
            return error.verdict(answer) {
                followUp($0, from: node)
            } isKnown: { address in
                router.servers.contains { $0.configuration.address == address }
            }
        }
        // What is not confirmed is not followed, but may be found to be so.
        if !verdicts.allSatisfy(\.isConfirmed) { router.suspect(node) }
        return verdicts
    }

    /// What servers ask for that refuse scripts, by part.
    func followUps(
        ofScripts outcomes: [Result<[RESPValue], any Error>],
        of batches: [PipelineWork.Batch],
        of work: inout PipelineWork,
        _ deadline: NIODeadline
    ) async -> [Int: FollowUp] {
        var followUps: [Int: FollowUp] = [:]
        for (batch, outcome) in zip(batches, outcomes) {
            guard case .success(let values) = outcome else { continue }
            var errors = work.errorsOfScripts(values, of: batch.indices, mayBeReplica: router.readsFromReplicas)
            errors.removeAll { followUp($0.error.error, from: batch.node) == .answer }
            if errors.isEmpty { continue }
            let verdicts = await verdicts(on: errors.map(\.error), of: batch.node, deadline: deadline)
            for ((part, _), verdict) in zip(errors, verdicts) {
                switch verdict {
                case .refused(let refusal): followUps[part] = followUp(refusal, from: batch.node)
                case .doubtful where work.doubt(part): followUps[part] = .wait(.busy)
                case .doubtful, .madeUp: break
                }
            }
        }
        return followUps
    }
}
