import NIOCore
import RESP

/// The commands of one request as the store takes them, and what is known of them by their names.
struct UpstashCommands: Sendable {
    /// No command is longer.
    let maxBytes: Int
    private(set) var all: [RESPCommand] = []
    /// The last name that was looked up.
    private var last: (name: String, traits: UpstashCommandTraits)?
    /// What is known of some of them.
    private(set) var traitsOfAny: UpstashCommandTraits = []
    /// What is known of every one.
    private(set) var traitsOfAll = UpstashCommandTraits.every
    /// Why entries are no commands, by their places.
    private(set) var refusals: [Int: UpstashRefusal] = [:]

    /// - Parameter textBytes: of the text in which all came; each that is not UTF-8 is read as a U+FFFD of three.
    init(textBytes: Int) {
        maxBytes = 3 * textBytes
        // Short commands; many grow by themselves.
        all.reserveCapacity(min(textBytes / 16, 128))
    }

    var count: Int { all.count }

    subscript(place: Int) -> UpstashCommand { UpstashCommand(all[place]) }

    mutating func append(_ command: consuming UpstashCommand) {
        traitsOfAny.formUnion(command.traits)
        traitsOfAll.formIntersection(command.traits)
        last = (command.name, command.traits)
        all.append(command.command)
    }

    /// Begins another command of the same name; nothing happens where there is none yet.
    mutating func repeatName() {
        if let last { all.append(UpstashCommand(name: last.name, last.traits).command) }
    }

    /// Says why the last command cannot be one.
    ///
    /// - Parameter place: its place, or the next one if not even a name was read.
    mutating func refuse(_ place: Int, _ refusal: UpstashRefusal) {
        if place == count { append(UpstashCommand(name: "", [])) }
        refusals[place] = refusal
    }

    /// Adds an argument to the last command.
    mutating func append(argument: ByteBuffer) {
        all[all.count - 1].append(.bytes(argument))
    }
}
