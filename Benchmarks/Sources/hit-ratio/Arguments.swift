/// What the command line asks for.
struct Arguments {
    struct Invalid: Error, CustomStringConvertible { let description: String }

    static let usage = """
        usage: hit-ratio [--capacity N] [--policy default] [--optimum] FILE|@WORKLOAD…
               hit-ratio --reference CSV FILE…
        A FILE is gzip of little-endian 64-bit keys; a WORKLOAD one of \(Workload.allCases.map(\.rawValue)).
        Without --capacity it is what the workload is made for, else 2 % of the distinct keys, at least 64.
        """

    var capacity: Int?
    var optimum = false
    var reference: String?
    var files: [String] = []

    init(_ arguments: some Sequence<String>) throws {
        var rest = arguments.makeIterator()
        while let argument = rest.next() {
            switch argument {
            case "--capacity":
                guard let number = rest.next().flatMap(Int.init), number > 0 else {
                    throw Invalid(description: "--capacity takes a positive number")
                }
                capacity = number
            case "--policy":
                guard rest.next() == "default" else { throw Invalid(description: "the one policy is: default") }
            case "--optimum": optimum = true
            case "--reference":
                guard let file = rest.next() else { throw Invalid(description: "--reference takes a file") }
                reference = file
            case _ where argument.hasPrefix("--"): throw Invalid(description: "unknown option \(argument)")
            default: files.append(argument)
            }
        }
        if files.isEmpty { throw Invalid(description: "no traces") }
    }

    static func trace(_ name: String) throws -> Trace {
        guard name.hasPrefix("@") else { return try Trace(contentsOf: name) }
        guard let workload = Workload(rawValue: String(name.dropFirst())) else {
            throw Invalid(description: "unknown workload \(name)")
        }
        return Trace(workload)
    }
}
