import Metrics

/// How long a store takes and how often it fails: one instrument an operation, made once.
struct StoreMetrics: Sendable {
    private let errors: [Counter]
    private let seconds: [Timer]

    init(_ factory: any MetricsFactory) {
        errors = StoreOperation.allCases.map {
            Counter(label: "freshet_store_errors_total", dimensions: [("operation", "\($0)")], factory: factory)
        }
        seconds = StoreOperation.allCases.map {
            Timer(label: "freshet_store_seconds", dimensions: [("operation", "\($0)")], factory: factory)
        }
    }

    func countError(_ operation: StoreOperation) { errors[operation.rawValue].increment() }

    func recordTime(_ operation: StoreOperation, _ time: Duration) {
        seconds[operation.rawValue].recordNanoseconds(time.clampedNanoseconds)
    }
}
