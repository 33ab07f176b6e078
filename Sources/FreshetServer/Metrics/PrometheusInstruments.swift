import CoreMetrics
import Synchronization

/// One series, and how it is written.
protocol PrometheusInstrument: AnyObject, Sendable {
    static var kind: String { get }

    func render(_ name: String, _ labels: String, into text: inout String)
}

final class PrometheusCounter: CounterHandler, PrometheusInstrument {
    static let kind = "counter"
    private let value = Atomic<Int64>(0)

    func increment(by amount: Int64) { value.wrappingAdd(amount, ordering: .relaxed) }

    func reset() { value.store(0, ordering: .relaxed) }

    func render(_ name: String, _ labels: String, into text: inout String) {
        text += "\(name)\(PrometheusText.braced(labels)) \(value.load(ordering: .relaxed))\n"
    }
}

final class PrometheusGauge: MeterHandler, RecorderHandler, PrometheusInstrument {
    static let kind = "gauge"
    private let bits = Atomic<UInt64>(0)

    func set(_ value: Int64) { set(Double(value)) }

    func set(_ value: Double) { bits.store(value.bitPattern, ordering: .relaxed) }

    func increment(by amount: Double) { bits.add(amount) }

    func decrement(by amount: Double) { bits.add(-amount) }

    func record(_ value: Int64) { set(value) }

    func record(_ value: Double) { set(value) }

    func render(_ name: String, _ labels: String, into text: inout String) {
        let value = Double(bitPattern: bits.load(ordering: .relaxed))
        text += "\(name)\(PrometheusText.braced(labels)) \(PrometheusText.number(value))\n"
    }
}

/// Counts by size; with a scale of 1e-9 its input is nanoseconds and its output seconds.
final class PrometheusHistogram: TimerHandler, RecorderHandler, PrometheusInstrument {
    static let kind = "histogram"
    /// Upper bounds: a store's tenths of milliseconds as well as a source's seconds.
    private static let bounds: [Double] = [
        0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300,
        3600,
        21_600, 86_400,
    ]

    private final class Cell: Sendable {
        let count = Atomic<Int64>(0)
    }

    private let scale: Double
    private let cells: [Cell] = (0...bounds.count).map { _ in Cell() }
    private let sum = Atomic<UInt64>(0)

    init(scale: Double) { self.scale = scale }

    func recordNanoseconds(_ duration: Int64) { record(Double(duration)) }

    func record(_ value: Int64) { record(Double(value)) }

    func record(_ value: Double) {
        let value = value * scale
        guard value.isFinite else { return }
        let index = Self.bounds.firstIndex { value <= $0 } ?? Self.bounds.count
        cells[index].count.wrappingAdd(1, ordering: .relaxed)
        sum.add(value)
    }

    func render(_ name: String, _ labels: String, into text: inout String) {
        var total: Int64 = 0
        for (cell, bound) in zip(cells, Self.bounds + [.infinity]) {
            total += cell.count.load(ordering: .relaxed)
            let limit = "le=\"\(PrometheusText.number(bound))\""
            text += "\(name)_bucket{\(labels.isEmpty ? limit : "\(labels),\(limit)")} \(total)\n"
        }
        let sum = Double(bitPattern: sum.load(ordering: .relaxed))
        text += "\(name)_sum\(PrometheusText.braced(labels)) \(PrometheusText.number(sum))\n"
        text += "\(name)_count\(PrometheusText.braced(labels)) \(total)\n"
    }
}

extension Atomic<UInt64> {
    /// Adds to the floating-point number whose bits this is.
    fileprivate borrowing func add(_ amount: Double) {
        var old = load(ordering: .relaxed)
        while true {
            let new = (Double(bitPattern: old) + amount).bitPattern
            let (exchanged, original) = weakCompareExchange(expected: old, desired: new, ordering: .relaxed)
            if exchanged { return }
            old = original
        }
    }
}
