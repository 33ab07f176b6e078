import Freshet

/// How far a number of steps have come: a bar on a terminal, a line for each step elsewhere.
struct ProgressBar {
    private static let width = 30

    private let total: Int
    private let isShown: Bool
    private var done = 0

    init(total: Int, isShown: Bool) throws {
        self.total = total
        self.isShown = isShown
        try draw()
    }

    /// One step is done.
    mutating func advance(_ line: String) throws {
        done += 1
        guard isShown else { return try Output.foreign(line) }
        // Over the bar, which moves one line down.
        try Output.progress("\r\u{1B}[K\(line.printable())\n")
        try draw()
        if done == total { try Output.progress("\n") }
    }

    private func draw() throws {
        guard isShown, total > 0 else { return }
        let filled = Self.width * done / total
        let bar = String(repeating: "#", count: filled) + String(repeating: "-", count: Self.width - filled)
        try Output.progress("\r\u{1B}[K[\(bar)] \(done)/\(total)")
    }
}
