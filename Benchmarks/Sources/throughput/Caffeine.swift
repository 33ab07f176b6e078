import Foundation

/// Caffeine in a Java process that is told which slice to do.
final class Caffeine {
    private let process = Process()
    private let input = Pipe()
    private let output = Pipe()
    private var unread = Data()

    /// `nil` where Java or Caffeine is not installed.
    init?(_ plan: Plan) throws {
        let jar = "/usr/share/java/caffeine.jar"
        let source = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .appendingPathComponent("CaffeineThroughput.java").path
        guard FileManager.default.fileExists(atPath: jar), FileManager.default.fileExists(atPath: source) else {
            return nil
        }
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["java", "-Xmx1g", "-cp", jar, source, String(plan.operations)]
        process.standardInput = input
        process.standardOutput = output
        try process.run()
        send(plan.picks.map(String.init).joined(separator: " "))
    }

    deinit {
        try? input.fileHandleForWriting.close()
        process.waitUntilExit()
    }

    func run(_ cache: String, _ workload: Workload, threads: Int) -> Double {
        send("\(cache) \(workload.rawValue) \(threads)")
        while true {
            if let end = unread.firstIndex(of: 10) {
                defer { unread = unread[(end + 1)...] }
                return Double(String(decoding: unread[..<end], as: UTF8.self)) ?? .nan
            }
            let more = output.fileHandleForReading.availableData
            if more.isEmpty { return .nan }
            unread += more
        }
    }

    private func send(_ line: String) {
        try? input.fileHandleForWriting.write(contentsOf: Data((line + "\n").utf8))
    }
}

struct CaffeineContender: Contender {
    let caffeine: Caffeine
    let expires: Bool
    var name: String { expires ? "Caffeine, expireAfterWrite" : "Caffeine" }

    init(_ caffeine: Caffeine, expires: Bool) {
        self.caffeine = caffeine
        self.expires = expires
    }

    func run(_ workload: Workload, threads: Int) -> Double {
        caffeine.run(expires ? "expiring" : "plain", workload, threads: threads)
    }
}
