import ArgumentParser
import Foundation
import FreshetServer

// freshet serve | demo | check                       Commands/Serve.swift, Demo.swift, Check.swift
// freshet fields | warm | refresh | expire | remove | explain
//                                                    one file each: they talk to a running service
// freshet get | set | del | ttl | bench              one file each: they talk to a store
// freshet upstash                                    Commands/Upstash.swift

struct FreshetCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "freshet",
        abstract: "Keeps named data sets fresh: a cache between applications and slow sources.",
        groupedSubcommands: [
            CommandGroup(name: "Service", subcommands: [Serve.self, Demo.self, Check.self]),
            CommandGroup(
                name: "Fields of a running service",
                subcommands: [Fields.self, Warm.self, Refresh.self, Expire.self, Remove.self, Explain.self]
            ),
            CommandGroup(
                name: "Keys of a store",
                subcommands: [Get.self, SetCommand.self, Del.self, TTL.self, Bench.self]
            ),
            CommandGroup(name: "Development", subcommands: [Upstash.self]),
        ]
    )
}

// What is opened takes the place of what was closed, and would get what is printed.
for file in STDIN_FILENO...STDERR_FILENO where fcntl(file, F_GETFD) < 0 {
    _ = open("/dev/null", file == STDIN_FILENO ? O_WRONLY : O_RDONLY)
}
// Who reads the output may leave; that is an error of the write, and ends nothing.
signal(SIGPIPE, SIG_IGN)
if ["serve", "demo", "upstash"].contains(CommandLine.arguments.dropFirst().first) { GracefulServing.heedSignals() }
await Exit.run(FreshetCommand.self)
