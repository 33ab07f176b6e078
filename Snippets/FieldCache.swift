// The smallest working field cache.

import Freshet
import Logging

func fetchRates() async throws -> [String: Double] { ["COP": 4521.3, "MXN": 20.1] }  // asks a slow source

let logger = Logger(label: "app")
let cache = CacheService(store: MemoryStore(), logger: logger)
try await cache.initialize()  // throws if the store does not answer: start, or stop

let rates = Field("rates", ttl: .seconds(600)) { try await fetchRates() }
let fields = FieldCache(cache: cache, catalog: try FieldCatalog([rates]), logger: logger)

let value = try await fields.value(of: rates)  // from memory, if it is fresh
let newest = try await fields.value(of: rates, forceRefresh: true)  // asks the source, at most once in 5 s
print(value, newest)
