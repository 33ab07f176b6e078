extension RESPCommand {
    /// Whether it runs a caller's script, whose reply may be any error that the script makes up.
    package var runsScript: Bool { Self.scripts.contains(name.commandHash) }

    private static let scripts = Set(
        ["EVAL", "EVALSHA", "EVALSHA_RO", "EVAL_RO", "FCALL", "FCALL_RO"].map(\.commandHash)
    )
}
