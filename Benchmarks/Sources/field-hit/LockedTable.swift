import NIOConcurrencyHelpers

/// The simplest cache there is: the peer that everything else is measured by.
final class LockedTable: Sendable {
    private let table: NIOLockedValueBox<[String: [Person]]>

    init(_ table: [String: [Person]]) { self.table = NIOLockedValueBox(table) }

    func get(_ key: String) -> [Person]? { table.withLockedValue { $0[key] } }
}
