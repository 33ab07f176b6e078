/// Which server the connection for subscriptions is made to.
struct SubscriptionPlace: Sendable {
    typealias Address = RedisClient.Configuration.Address

    /// Asked before each attempt; `nil` as long as no server is known.
    let connector: @Sendable () -> Connector?
    /// Whether what is published still comes to a server.
    let isRight: @Sendable (Address) -> Bool

    /// One server for good.
    init(_ configuration: RedisClient.Configuration) {
        let connector = Connector(configuration: configuration)
        self.connector = { connector }
        isRight = { _ in true }
    }

    init(connector: @escaping @Sendable () -> Connector?, isRight: @escaping @Sendable (Address) -> Bool) {
        self.connector = connector
        self.isRight = isRight
    }
}
