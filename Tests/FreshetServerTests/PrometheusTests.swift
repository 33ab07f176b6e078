import CoreMetrics
import Testing

@testable import FreshetServer

@Suite("Prometheus text")
struct PrometheusTests {
    @Test("counters of one name come together, ordered and escaped")
    func counters() {
        let registry = PrometheusRegistry()
        let b = Counter(
            label: "freshet_reads_total",
            dimensions: [("status", "miss"), ("field", "b\"\\\n\"\u{301}")],
            factory: registry
        )
        let a = Counter(label: "freshet_reads_total", dimensions: [("field", "a")], factory: registry)
        let again = Counter(label: "freshet_reads_total", dimensions: [("field", "a")], factory: registry)
        a.increment(by: 2)
        again.increment()
        b.increment()
        #expect(
            registry.render() == """
                # TYPE freshet_reads_total counter
                freshet_reads_total{field="a"} 3
                freshet_reads_total{field="b\\"\\\\\\n\\"\u{301}",status="miss"} 1

                """
        )
    }

    @Test("timers are histograms in seconds")
    func timers() {
        let registry = PrometheusRegistry()
        let timer = Timer(label: "freshet-load.seconds", dimensions: [], factory: registry)
        timer.recordNanoseconds(3_000_000)
        timer.recordNanoseconds(2_000_000_000)
        let text = registry.render()
        #expect(text.hasPrefix("# TYPE freshet_load_seconds histogram\n"))
        #expect(text.contains("freshet_load_seconds_bucket{le=\"0.0025\"} 0\n"))
        #expect(text.contains("freshet_load_seconds_bucket{le=\"0.005\"} 1\n"))
        #expect(text.contains("freshet_load_seconds_bucket{le=\"+Inf\"} 2\n"))
        #expect(text.contains("freshet_load_seconds_sum 2.003\n"))
        #expect(text.hasSuffix("freshet_load_seconds_count 2\n"))
    }

    @Test("gauges hold the last value")
    func gauges() {
        let registry = PrometheusRegistry()
        let gauge = Gauge(label: "g", dimensions: [], factory: registry)
        gauge.record(1.5)
        gauge.record(-2)
        Meter(label: "m", dimensions: [("x", "y")], factory: registry).increment(by: 4)
        #expect(registry.render() == "# TYPE g gauge\ng -2\n# TYPE m gauge\nm{x=\"y\"} 4\n")
    }

    @Test("names of labels have no colon and occur once each")
    func labels() {
        let registry = PrometheusRegistry()
        let dimensions = [("a.b", "1"), ("a:b", "2"), ("", "3"), ("1", "4")]
        Counter(label: "a:b.c", dimensions: dimensions, factory: registry).increment()
        #expect(registry.render() == "# TYPE a:b_c counter\na:b_c{_=\"3\",_1=\"4\",a_b=\"1\",a_b_=\"2\"} 1\n")
    }

    @Test("nor has a label the name that the bounds of a histogram have, or a metric")
    func reservedLabels() {
        let registry = PrometheusRegistry()
        Timer(label: "t", dimensions: [("le", "a"), ("__name__", "b")], factory: registry).recordNanoseconds(1)
        #expect(registry.render().contains("t_bucket{__name___=\"b\",le_=\"a\",le=\"+Inf\"} 1\n"))
    }

    @Test("of two kinds of one name the first is shown, whatever their labels")
    func kinds() {
        let registry = PrometheusRegistry()
        Counter(label: "x", dimensions: [("i", "1")], factory: registry).increment()
        Timer(label: "x", dimensions: [("i", "2")], factory: registry).recordNanoseconds(1)
        #expect(registry.render() == "# TYPE x counter\nx{i=\"1\"} 1\n")
    }

    @Test("series past the limit count, but are not shown")
    func bounded() {
        let registry = PrometheusRegistry(maxSeries: 3)
        for index in 0..<5 {
            Counter(label: "c", dimensions: [("i", "\(index)")], factory: registry).increment()
        }
        Counter(label: "c", dimensions: [("i", "4")], factory: registry).increment()
        let text = registry.render()
        #expect(text.contains("c{i=\"2\"} 1\n"))
        #expect(!text.contains("c{i=\"3\"}"))
        #expect(text.hasSuffix("freshet_metrics_dropped_series 2\n"))
        for index in 5..<9 {
            Counter(label: "c", dimensions: [("i", "\(index)")], factory: registry).increment()
        }
        #expect(registry.render().hasSuffix("freshet_metrics_dropped_series 3\n"), "and no more are remembered")
    }

    @Test("a name with too many series leaves room to others, and what is forgotten is dropped no longer")
    func room() {
        let registry = PrometheusRegistry(maxSeries: 2)
        func make(_ name: String, _ labels: ClosedRange<Int>) {
            for i in labels { Meter(label: name, dimensions: [("i", "\(i)")], factory: registry).set(1) }
        }
        make("a", 1...4)
        make("b", 1...2)
        #expect(registry.render().contains("# TYPE b gauge\nb{i=\"1\"} 1\nb{i=\"2\"} 1\n"))
        #expect(registry.render().hasSuffix("freshet_metrics_dropped_series 2\n"))
        registry.forget("a", dimensions: [("i", "3")])
        #expect(registry.render().hasSuffix("freshet_metrics_dropped_series 1\n"))
        registry.forget("a", dimensions: [("i", "1")])
        make("a", 4...4)
        #expect(registry.render().hasPrefix("# TYPE a gauge\na{i=\"2\"} 1\na{i=\"4\"} 1\n# TYPE b gauge\n"))
        #expect(!registry.render().contains("dropped"))
        for i in [2, 4] { registry.forget("a", dimensions: [("i", "\(i)")]) }
        #expect(registry.render().hasPrefix("# TYPE b gauge\n"))
    }

    @Test("many tasks add up")
    func concurrent() async {
        let registry = PrometheusRegistry()
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<8 {
                group.addTask {
                    let timer = Timer(label: "t", dimensions: [], factory: registry)
                    for _ in 0..<1000 { timer.recordNanoseconds(1_000_000_000) }
                }
            }
        }
        #expect(registry.render().contains("t_sum 8000\nt_count 8000\n"))
    }
}
