/// The answer to a read of a typed field: ``value`` and everything of ``FieldReading``.
@dynamicMemberLookup
public struct FieldRead<Value: Sendable>: Sendable {
    public let value: Value
    public let reading: FieldReading

    @usableFromInline
    init(value: Value, reading: FieldReading) {
        self.value = value
        self.reading = reading
    }

    public subscript<Member>(dynamicMember path: KeyPath<FieldReading, Member>) -> Member { reading[keyPath: path] }
}
