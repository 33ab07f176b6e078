/// How far a number of steps have come: a bar on a terminal, a line for each step elsewhere.
struct ProgressBar {
    private static let width = 30

    private let total: Int
    private let isShown: Bool
    private var done = 0

    init(total: Int, isShown: Bool) {
        self.total = total
        self.isShown = isShown
        draw()
    }

    /// One step is done.
    mutating func advance(_ line: String) {
        done += 1
        guard isShown else { return Output.line(line) }
        // Over the bar, which moves one line down.
        Output.progress("\r\u{1B}[K\(line)\n")
        draw()
        if done == total { Output.progress("\n") }
    }

    private func draw() {
        guard isShown, total > 0 else { return }
        let filled = Self.width * done / total
        let bar = String(repeating: "#", count: filled) + String(repeating: "-", count: Self.width - filled)
        Output.progress("\r\u{1B}[K[\(bar)] \(done)/\(total)")
    }
}
