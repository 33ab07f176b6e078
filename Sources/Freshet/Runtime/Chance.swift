/// The chance of a ``Spawner``, for what draws from a generator.
struct Chance: RandomNumberGenerator {
    private let spawner: any Spawner

    init(_ spawner: any Spawner) { self.spawner = spawner }

    func next() -> UInt64 { spawner.random() }
}
