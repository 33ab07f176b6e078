/// The notices that wait to be sent. Pure.
struct NoticeQueue: Sendable {
    enum Added: Sendable, Hashable {
        /// Somebody has to start sending.
        case start
        case waits
        /// There are too many, or no more are taken.
        case dropped
    }

    private let capacity: Int
    private var notices: [Notice] = []
    private var isSending = false
    private(set) var isClosed = false

    init(capacity: Int) { self.capacity = capacity }

    mutating func add(_ notice: Notice) -> Added {
        guard !isClosed, notices.count < capacity else { return .dropped }
        notices.append(notice)
        defer { isSending = true }
        return isSending ? .waits : .start
    }

    /// The next one to be sent; nil ends the sending.
    mutating func next() -> Notice? {
        guard !notices.isEmpty else {
            isSending = false
            return nil
        }
        return notices.removeFirst()
    }

    /// Takes no more.
    mutating func close() { isClosed = true }
}
