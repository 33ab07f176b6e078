public import Freshet
import Hummingbird
public import Logging
import NIOConcurrencyHelpers
import NIOCore
public import ServiceLifecycle

/// Airtable's list-records API on a real socket, with its limits, its error bodies and its moods.
///
/// It checks the token, pages with opaque offsets over an order that is frozen at the first page, forgets idle
/// iterators, refuses the sixth request to a base within a second and the fifty-first to all, keeps locked what is
/// hammered, and breaks in the ways that real servers break when a ``Fault`` says so. Its data can be changed while it runs.
///
/// ```swift
/// try await AirtableStandIn.withStandIn { standIn in
///     standIn.inject(.status(503))
///     let client = try AirtableClient(token: standIn.token, endpoint: standIn.url)
///     …
/// }
/// ```
///
/// It is a `Service` too: put it into a `ServiceGroup` in place of ``start()`` and ``stop()``.
public final class AirtableStandIn: Service, Sendable {
    /// The only token it accepts.
    public let token: String
    /// What it limits, and where it listens.
    public let configuration: Configuration

    let state: NIOLockedValueBox<StandInState>
    let spawner: any Spawner
    private let logger: Logger
    private let server = NIOLockedValueBox(Server())

    private struct Server {
        var port: Int?
        var running: (group: ServiceGroup, task: Task<Void, any Error>)?
    }

    /// - Parameters:
    ///   - bases: what it serves at first.
    ///   - token: the only bearer token it accepts.
    ///   - spawner: where it takes the time from by which it limits, delays and forgets.
    public init(
        bases: [Base] = [.people],
        token: String = "patStandIn.0123456789abcdef",
        configuration: Configuration = Configuration(),
        spawner: any Spawner = SystemSpawner(),
        logger: Logger = Logger(label: "freshet.airtable-stand-in") { _ in SwiftLogNoOpLogHandler() }
    ) {
        self.token = token
        self.configuration = configuration
        self.spawner = spawner
        self.logger = logger
        state = NIOLockedValueBox(StandInState(bases: bases, token: token, configuration: configuration))
    }

    /// Where it listens; nil while it does not.
    public var port: Int? { server.withLockedValue { $0.port } }

    /// The endpoint for clients, such as `http://127.0.0.1:49152`. Port 0 while it does not listen.
    public var url: String { "http://\(address.contains(":") ? "[\(address)]" : address):\(port ?? 0)" }

    /// The host without the brackets that an address has in URLs: what sockets take.
    private var address: String {
        let host = configuration.host
        return host.hasPrefix("[") && host.hasSuffix("]") ? String(host.dropFirst().dropLast()) : host
    }
}

// MARK: - Life

extension AirtableStandIn {
    /// Listens until the task is cancelled or a graceful shutdown is asked for.
    public func run() async throws {
        try await serve { _ in }
    }

    /// Starts listening.
    ///
    /// - Returns: the port.
    /// - Throws: what the operating system says, if the port cannot be had.
    @discardableResult
    public func start() async throws -> Int {
        let (ports, listening) = AsyncStream<Int>.makeStream()
        var groupConfiguration = ServiceGroupConfiguration(
            services: [Runner { try await self.serve { listening.yield($0) } }],
            logger: logger
        )
        groupConfiguration.maximumGracefulShutdownDuration = .seconds(1)
        let group = ServiceGroup(configuration: groupConfiguration)
        let task = Task {
            defer { listening.finish() }
            try await group.run()
        }
        for await port in ports {
            server.withLockedValue { $0.running = (group, task) }
            return port
        }
        if Task.isCancelled { task.cancel() }
        try await task.value
        throw CancellationError()
    }

    /// Stops listening, cutting off requests that are still under way after a second.
    public func stop() async {
        let running = server.withLockedValue { server in
            defer { server.running = nil }
            return server.running
        }
        guard let running else { return }
        await running.group.triggerGracefulShutdown()
        _ = await running.task.result
    }

    /// Runs a stand-in for as long as the closure takes.
    public static func withStandIn<Result: Sendable>(
        _ standIn: AirtableStandIn = AirtableStandIn(),
        _ body: @Sendable (AirtableStandIn) async throws -> Result
    ) async throws -> Result {
        try await standIn.start()
        do {
            let result = try await body(standIn)
            await standIn.stop()
            return result
        } catch {
            await standIn.stop()
            throw error
        }
    }

    private struct Runner: Service {
        let operation: @Sendable () async throws -> Void
        func run() async throws { try await operation() }
    }

    private func serve(_ onListening: @escaping @Sendable (Int) -> Void) async throws {
        let application = Application(
            responder: CallbackResponder { (request: Request, _: BasicRequestContext) in
                try await self.respond(to: request)
            },
            configuration: ApplicationConfiguration(
                address: .hostname(address, port: configuration.port)
            ),
            onServerRunning: { channel in
                guard let port = channel.localAddress?.port else { return }
                self.server.withLockedValue { $0.port = port }
                onListening(port)
            },
            logger: logger
        )
        defer { server.withLockedValue { $0.port = nil } }
        try await application.run()
    }
}

// MARK: - Data, faults, counters

extension AirtableStandIn {
    /// Puts a value into a cell; nil, null, `""`, `[]` and `false` empty it. Does nothing where there is no such
    /// record.
    ///
    /// - Parameters:
    ///   - table: the table's id or name.
    ///   - record: the record's id.
    ///   - column: the column's name. A new name adds a column.
    public func setCell(base: String, table: String, record: String, column: String, to value: JSONValue?) {
        state.withLockedValue {
            $0.withTable(base: base, table: table) { table in
                guard let index = table.records.firstIndex(where: { $0.id == record }) else { return }
                table.records[index].cells[column] = value
                table.addColumns(named: [column])
            }
        }
    }

    /// Adds a record at the end of a table.
    ///
    /// - Returns: its id.
    @discardableResult
    public func addRecord(base: String, table: String, cells: [String: JSONValue]) -> String {
        state.withLockedValue { state in
            let record = Record(id: state.nextID("rec"), createdTime: "2026-01-01T00:00:00.000Z", cells: cells)
            state.withTable(base: base, table: table) { table in
                table.records.append(record)
                table.addColumns(named: cells.keys.sorted())
            }
            return record.id
        }
    }

    /// Deletes a record. Pages of iterators that are already open leave it out.
    public func deleteRecord(base: String, table: String, record: String) {
        state.withLockedValue {
            $0.withTable(base: base, table: table) { table in table.records.removeAll { $0.id == record } }
        }
    }

    /// The records of a table as they are now.
    public func records(base: String, table: String) -> [Record] {
        state.withLockedValue { $0.bases[base]?.table(table)?.records ?? [] }
    }

    /// Breaks requests to come.
    ///
    /// - Parameters:
    ///   - skipping: how many requests pass unharmed before.
    ///   - times: how many are broken then.
    public func inject(_ fault: Fault, skipping: Int = 0, times: Int = 1) {
        state.withLockedValue { $0.faults.append(ArmedFault(fault: fault, skip: skipping, times: times)) }
    }

    /// Spends what is left of the month's calls.
    public func spendMonthlyQuota() {
        state.withLockedValue { $0.callsLeft = 0 }
    }

    /// What was asked and answered so far.
    public var statistics: Statistics { state.withLockedValue { $0.statistics } }
}
