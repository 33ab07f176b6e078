import RESP

extension RESPValue {
    private static let tooDeep = RESPError.tooDeep(limit: RESPDecoder.Limits().depth)

    /// The error with which the service answers a command instead of with this reply; nil where it answers with this.
    ///
    /// What a script makes up stays as it is.
    func serviceError(of command: RESPCommand) -> RESPError? {
        switch self {
        case .error(let error): command.runsScript ? nil : RESPError(error.serviceText(of: command.name))
        default: isCut ? Self.tooDeep : nil
        }
    }

    /// Whether it is no error and has no parts, so that the service answers with it; told without a look at the command.
    var isPlain: Bool {
        switch self {
        case .error, .array, .set, .push, .map: false
        default: true
        }
    }

    /// Whether a part of it was nested too deep to be kept.
    private var isCut: Bool {
        switch self {
        case .error(let error): error == Self.tooDeep
        case .array(let values), .set(let values), .push(let values): values.contains(where: \.isCut)
        case .map(let pairs): pairs.contains { $0.key.isCut || $0.value.isCut }
        default: false
        }
    }
}
