import NIOCore
import RESP

/// A command as it came, and what is known of it by its name.
struct UpstashCommand: Sendable, Hashable {
    private(set) var command: RESPCommand
    let traits: UpstashCommandTraits

    /// - Parameter name: in letters of any case.
    /// - Throws: ``UpstashRefusal`` where there is none.
    init(name: ByteBuffer) throws {
        if name.readableBytes == 0 { throw UpstashRefusal.emptyCommand }
        let name = String(inCapitals: name)
        self.init(name: name, UpstashCommandTraits.of(name))
    }

    /// - Parameter name: in capitals; `traits` are its own.
    init(name: String, _ traits: UpstashCommandTraits) {
        self.traits = traits
        command = RESPCommand(name)
        // Nobody has to look the name up again.
        command.isReadOnly = traits.contains(.changesNothing)
    }

    /// - Parameter command: with its name in capitals.
    init(_ command: RESPCommand) {
        self.command = command
        traits = UpstashCommandTraits.of(command.name)
    }

    var name: String { command.name }

    mutating func append(_ argument: ByteBuffer) { command.append(.bytes(argument)) }
}

extension String {
    fileprivate init(inCapitals bytes: ByteBuffer) {
        self = bytes.withUnsafeReadableBytes { bytes in
            String(unsafeUninitializedCapacity: bytes.count) { target in
                for (index, byte) in bytes.enumerated() {
                    target.initializeElement(at: index, to: byte.capital)
                }
                return bytes.count
            }
        }
    }
}
