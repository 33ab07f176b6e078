import Metrics

/// The instruments of one field, made once. A key is never a label.
struct FieldMetrics: Sendable {
    let hits, stale, misses, errors: Counter
    let changed, unchanged, absent, uncacheable, failed, refused: Counter
    let loadSeconds: Timer

    init(field: String, _ factory: any MetricsFactory = MetricsSystem.factory) {
        func reads(_ status: String) -> Counter {
            let dimensions = [("field", field), ("status", status)]
            return Counter(label: "freshet_reads_total", dimensions: dimensions, factory: factory)
        }
        func loads(_ outcome: String) -> Counter {
            let dimensions = [("field", field), ("outcome", outcome)]
            return Counter(label: "freshet_loads_total", dimensions: dimensions, factory: factory)
        }
        hits = reads("hit")
        stale = reads("stale")
        misses = reads("miss")
        errors = reads("error")
        changed = loads("changed")
        unchanged = loads("unchanged")
        absent = loads("absent")
        uncacheable = loads("uncacheable")
        failed = loads("failed")
        refused = loads("refused")
        loadSeconds = Timer(label: "freshet_load_seconds", dimensions: [("field", field)], factory: factory)
    }

    func count(_ end: FieldEvent.LoadEnd) {
        switch end {
        case .changed: changed.increment()
        case .unchanged: unchanged.increment()
        case .absent: absent.increment()
        case .uncacheable: uncacheable.increment()
        case .failed: failed.increment()
        case .refused: refused.increment()
        case .notBegun, .cancelled: break
        }
    }
}
