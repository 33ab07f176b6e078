@testable import RedisClient

typealias Address = RedisClient.Configuration.Address

func address(_ port: Int) -> Address { .hostname("h", port: port) }

func primary(_ port: Int) -> Primary { Primary(address: address(port), place: place(port)) }

func place(_ port: Int) -> Place { .primary(address(port), ofSlot: port) }
