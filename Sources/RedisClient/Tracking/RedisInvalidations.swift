public import RESP

/// The invalidations of everything that was read through ``RedisClient/RedisClient/tracked``.
///
/// Each of them comes once, to one of the tasks that read them from here; those that were not taken in time are put
/// together. Ends when the client is closed.
///
/// A reply and an invalidation that follows it reach their tasks in any order. So note *before* reading that a key is
/// being read, and keep the value only if no invalidation of it came in the meantime.
public struct RedisInvalidations: AsyncSequence, Sendable {
    public typealias Element = RedisInvalidation
    public typealias Failure = Never

    let mailbox: InvalidationMailbox

    public func makeAsyncIterator() -> Iterator {
        Iterator(mailbox: mailbox)
    }

    public struct Iterator: AsyncIteratorProtocol {
        public typealias Failure = Never

        let mailbox: InvalidationMailbox

        public mutating func next() async -> RedisInvalidation? {
            await mailbox.next()
        }

        public mutating func next(isolation actor: isolated (any Actor)?) async -> RedisInvalidation? {
            await mailbox.next()
        }
    }
}
