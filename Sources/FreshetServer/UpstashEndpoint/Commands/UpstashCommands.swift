import NIOCore
import RESP

/// The commands of one request as the store takes them, and what is known of them by their names.
struct UpstashCommands: Sendable {
    /// No command is longer.
    let maxBytes: Int
    private(set) var all: [RESPCommand] = []
    private var traits: [UpstashCommandTraits] = []
    /// What is known of some of them.
    private(set) var traitsOfAny: UpstashCommandTraits = []
    /// What is known of every one.
    private(set) var traitsOfAll = UpstashCommandTraits.every
    /// Of those that cannot be commands, by their places.
    private(set) var refusals: [Int: UpstashRefusal] = [:]

    /// - Parameter textBytes: of the text in which all came; each that is not UTF-8 is read as a U+FFFD of three.
    init(textBytes: Int) { maxBytes = 3 * textBytes }

    var count: Int { all.count }

    subscript(place: Int) -> UpstashCommand { UpstashCommand(all[place], traits[place]) }

    mutating func append(_ command: consuming UpstashCommand) {
        traits.append(command.traits)
        traitsOfAny.formUnion(command.traits)
        traitsOfAll.formIntersection(command.traits)
        all.append(command.command)
    }

    /// Begins another command of the same name; nothing happens where there is none yet.
    mutating func repeatName() {
        guard let name = all.last?.name, let traits = traits.last else { return }
        append(UpstashCommand(name: name, traits))
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
