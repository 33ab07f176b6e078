import NIOCore
import RESP

/// Asks one node after the other until one knows the whole cluster. Those that take their time are not waited for: the
/// next is asked beside them.
struct ClusterSurvey: Sendable {
    typealias Address = RedisClient.Configuration.Address

    struct Findings {
        /// The map with the most slots so far.
        private(set) var map: SlotMap?
        private(set) var answers = 0
        /// Why one of the nodes gave no answer.
        private(set) var failure = RedisClientError(.connectFailed, "There is no node to ask.")
        private var weight = FailureWeight.absence
        /// Nodes that were waited for in vain.
        fileprivate(set) var late: Set<Address> = []

        fileprivate var isEnough: Bool { map?.isComplete == true || answers == ClusterSurvey.maxPartialAnswers }

        fileprivate mutating func add(_ answer: Result<SlotMap, any Error>, of address: Address) {
            switch answer {
            case .success(let told):
                answers += 1
                late.remove(address)
                if told.assignedCount > map?.assignedCount ?? 0 { map = told }
            case .failure(let error as RedisClientError):
                add(error, isAnswered: false)
                late.insert(address)
            case .failure(let error as RESPError) where error.code == .noPermission:
                let failure = RedisClientError(
                    .authenticationFailed,
                    "The server does not let the user run CLUSTER SLOTS; its ACL has to allow +cluster|slots.",
                    underlying: error
                )
                add(failure, isAnswered: true)
            case .failure(let error):
                let failure = RedisClientError(.connectFailed, "The server refuses CLUSTER SLOTS.", underlying: error)
                add(failure, isAnswered: true)
            }
        }

        private mutating func add(_ failure: RedisClientError, isAnswered: Bool) {
            let weight = FailureWeight(failure, isAnswered: isAnswered)
            if weight >= self.weight { (self.failure, self.weight) = (failure, weight) }
        }
    }

    private enum Event: Sendable {
        case answered(Address, Result<SlotMap, any Error>)
        case patienceIsOver(Address)
    }

    /// Serves pauses only.
    let eventLoop: any EventLoop
    /// After so long the next is asked.
    var patience = TimeAmount.milliseconds(150)
    let ask: @Sendable (Address) async throws -> SlotMap

    static let maxAskedAtOnce = 6
    /// So many nodes are asked that know only a part of the cluster.
    private static let maxPartialAnswers = 3

    /// - Parameter candidates: in their order.
    func run(_ candidates: [Address]) async -> Findings {
        await withTaskGroup(of: Event.self) { group in
            var findings = Findings()
            var rest = candidates[...]
            var asked: Set<Address> = []
            func askNext() {
                guard asked.count < Self.maxAskedAtOnce, let address = rest.popFirst() else { return }
                asked.insert(address)
                group.addTask {
                    do {
                        return .answered(address, .success(try await ask(address)))
                    } catch {
                        return .answered(address, .failure(error))
                    }
                }
                group.addTask {
                    await eventLoop.pause(patience)
                    return .patienceIsOver(address)
                }
            }
            askNext()
            while !asked.isEmpty, !findings.isEnough, let event = await group.next() {
                switch event {
                case .answered(let address, let answer):
                    asked.remove(address)
                    findings.add(answer, of: address)
                    if !findings.isEnough { askNext() }
                case .patienceIsOver(let address) where asked.contains(address):
                    findings.late.insert(address)
                    askNext()
                case .patienceIsOver:
                    break
                }
            }
            group.cancelAll()
            return findings
        }
    }
}
