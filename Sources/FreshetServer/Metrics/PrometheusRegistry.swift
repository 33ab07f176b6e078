public import CoreMetrics
import NIOConcurrencyHelpers

/// Keeps what is measured and renders it as Prometheus text.
///
/// ```swift
/// let registry = PrometheusRegistry()
/// MetricsSystem.bootstrap(registry)
/// ```
///
/// Making an instrument takes a lock and a lookup; using it takes atomic additions only. The number of series of a name
/// is bounded: past the limit, instruments work but are not shown, and `freshet_metrics_dropped_series` says how many.
public final class PrometheusRegistry: MetricsFactory {
    private struct Series: Hashable {
        let name: String
        let labels: String
    }

    private struct State {
        /// By name and labels.
        var instruments: [String: [String: any PrometheusInstrument]] = [:]
        /// Those past the limit; of these, too, only so many are told apart.
        var dropped: Set<Series> = []
    }

    private let maxSeries: Int
    private let state = NIOLockedValueBox(State())

    /// - Parameter maxSeries: how many combinations of labels are shown of a name at most.
    public init(maxSeries: Int = 10_000) { self.maxSeries = maxSeries }

    public func makeCounter(label: String, dimensions: [(String, String)]) -> any CounterHandler {
        instrument(label, dimensions) { PrometheusCounter() }
    }

    public func makeRecorder(label: String, dimensions: [(String, String)], aggregate: Bool) -> any RecorderHandler {
        if aggregate {
            instrument(label, dimensions) { PrometheusHistogram(scale: 1) } as PrometheusHistogram
        } else {
            instrument(label, dimensions) { PrometheusGauge() } as PrometheusGauge
        }
    }

    public func makeMeter(label: String, dimensions: [(String, String)]) -> any MeterHandler {
        instrument(label, dimensions) { PrometheusGauge() }
    }

    public func makeTimer(label: String, dimensions: [(String, String)]) -> any TimerHandler {
        instrument(label, dimensions) { PrometheusHistogram(scale: 1e-9) }
    }

    // Instruments are shared by all who ask for the same series, and live as long as the process.
    public func destroyCounter(_ handler: any CounterHandler) {}
    public func destroyRecorder(_ handler: any RecorderHandler) {}
    public func destroyMeter(_ handler: any MeterHandler) {}
    public func destroyTimer(_ handler: any TimerHandler) {}

    /// Shows a series no longer, until somebody makes it again.
    func forget(_ label: String, dimensions: [(String, String)]) {
        let series = Series(name: PrometheusText.name(label), labels: PrometheusText.labels(dimensions))
        state.withLockedValue { state in
            state.instruments[series.name]?[series.labels] = nil
            state.dropped.remove(series)
        }
    }

    private func instrument<Instrument: PrometheusInstrument>(
        _ name: String,
        _ dimensions: [(String, String)],
        _ make: () -> Instrument
    ) -> Instrument {
        let series = Series(name: PrometheusText.name(name), labels: PrometheusText.labels(dimensions))
        return state.withLockedValue { state in
            let known = state.instruments[series.name]
            // The same name for two kinds is a mistake; the second is not shown.
            if let first = known?.values.first, !(first is Instrument) { return make() }
            if let known = known?[series.labels] as? Instrument { return known }
            let instrument = make()
            if state.instruments[series.name, default: [:]].count < maxSeries {
                state.instruments[series.name, default: [:]][series.labels] = instrument
                state.dropped.remove(series)
            } else if state.dropped.count < maxSeries {
                state.dropped.insert(series)
            }
            return instrument
        }
    }

    /// All series in the text format, version 0.0.4, ordered by name.
    public func render() -> String {
        let (instruments, dropped) = state.withLockedValue { ($0.instruments, $0.dropped.count) }
        var text = ""
        for (name, series) in instruments.sorted(by: { $0.key < $1.key }) {
            let series = series.sorted { $0.key < $1.key }
            if let first = series.first { text += "# TYPE \(name) \(type(of: first.value).kind)\n" }
            for (labels, instrument) in series { instrument.render(name, labels, into: &text) }
        }
        if dropped > 0 {
            text += "# TYPE freshet_metrics_dropped_series gauge\nfreshet_metrics_dropped_series \(dropped)\n"
        }
        return text
    }
}
