import Foundation

/// What tests that draw what they do begin with.
public enum Seeds {
    /// `FRESHET_SEED` is the first, 1 if it is not given; `FRESHET_SEEDS` says how many there are.
    public static func drawn(unlessTold count: UInt64) -> [UInt64] {
        let environment = ProcessInfo.processInfo.environment
        let first = environment["FRESHET_SEED"].flatMap { UInt64($0) } ?? 1
        let count = environment["FRESHET_SEEDS"].flatMap { UInt64($0) } ?? count
        return (0..<count).map { first &+ $0 }
    }
}
