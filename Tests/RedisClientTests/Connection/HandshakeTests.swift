import NIOConcurrencyHelpers
import RESP
import TestSupport
import Testing

@testable import RedisClient

@Suite struct HandshakeTests {
    @Test(arguments: RESPProtocol.allCases)
    func sendsPasswordUserNameAndDatabase(version: RESPProtocol) async throws {
        let server = try await RedisServer.start(arguments: [
            "--requirepass", "p@ss", "--user", "app", "on", ">secret", "~*", "&*", "+@all",
        ])
        let withPassword = RedisClient(server) {
            $0.version = version
            $0.password = "p@ss"
        }
        #expect(try await withPassword.execute(RESPCommand("ACL", "WHOAMI")).string == "default")
        let withUser = RedisClient(server) {
            $0.version = version
            $0.username = "app"
            $0.password = "secret"
            $0.clientName = "tester"
            $0.database = 3
        }
        #expect(try await withUser.execute(RESPCommand("ACL", "WHOAMI")).string == "app")
        #expect(try await withUser.execute(RESPCommand("CLIENT", "GETNAME")).string == "tester")
        #expect(try await withUser.execute(RESPCommand("CLIENT", "INFO")).string?.contains(" db=3 ") == true)
    }

    @Test(arguments: RESPProtocol.allCases)
    func tellsOfWrongCredentials(version: RESPProtocol) async throws {
        let server = try await RedisServer.start(arguments: ["--requirepass", "right"])
        for password in ["wrong-secret", nil] {
            let client = RedisClient(server) {
                $0.version = version
                $0.password = password
            }
            let onConnect = try await clientError { try await client.connect() }
            #expect(onConnect?.code == .authenticationFailed)
            #expect(!"\(onConnect, default: "")".contains("wrong-secret"))
            let onCommand = try await clientError { try await client.execute(RESPCommand("GET", "a")) }
            #expect(onCommand?.code == .authenticationFailed)
            #expect(onCommand?.mayHaveExecuted == false)
        }
    }

    @Test(arguments: RESPProtocol.allCases)
    func tellsOfAnImpossibleDatabase(version: RESPProtocol) async throws {
        let server = try await RedisServer.start()
        let client = RedisClient(server) {
            $0.version = version
            $0.database = 999
        }
        let error = try await clientError { try await client.connect() }
        #expect(error?.code == .databaseRefused)
    }

    /// `HELLO` with such a name is an error.
    @Test func aNameThatIsRefusedIsNoReasonForRESP2() async throws {
        let server = try await RedisServer.start()
        let client = RedisClient(server) {
            $0.clientName = "my app"
            $0.clientSideCaching = true
        }
        guard case .map = try await client.execute(RESPCommand("HGETALL", "h")) else {
            return #expect(Bool(false), "RESP3 was not spoken")
        }
        #expect(try await client.execute(RESPCommand("CLIENT", "GETNAME")).string ?? "" == "")
    }

    @Test(arguments: RESPProtocol.allCases)
    func aUserWhoMayNotPingIsLetIn(version: RESPProtocol) async throws {
        let server = try await RedisServer.start(arguments: ["--user", "app", "on", ">pw", "~*", "+get"])
        let client = RedisClient(server) {
            $0.version = version
            $0.username = "app"
            $0.password = "pw"
            $0.clientName = "app"
        }
        #expect(try await client.execute(RESPCommand("GET", "a")).isNull)
    }

    /// As where the disk is full. It refuses even `PING` for that.
    @Test(arguments: RESPProtocol.allCases)
    func aServerWhoseSnapshotFailedIsReadFrom(version: RESPProtocol) async throws {
        let server = try await RedisServer.start()
        try server.command("SET a 1")
        try await server.failSnapshot()
        let client = RedisClient(server) { $0.version = version }
        #expect(try await client.execute(RESPCommand("GET", "a")).string == "1")
    }

    @Test func trackingIsRefusedWithItsReason() async throws {
        let server = try await RedisServer.start(arguments: ["--rename-command", "HELLO", ""])
        let client = RedisClient(server) { $0.clientSideCaching = true }
        let error = try await clientError { try await client.connect() }
        #expect(error?.code == .connectFailed)
        #expect((error?.underlying as? RESPError)?.text.contains("HELLO") == true)
    }

    /// A server that does not know `HELLO`, as before Redis 6.
    @Test func fallsBackToRESP2() async throws {
        let server = try await RedisServer.start(arguments: [
            "--rename-command", "HELLO", "", "--requirepass", "secret",
        ])
        let client = RedisClient(server) {
            $0.password = "secret"
            $0.clientName = "old"
            $0.database = 1
        }
        try await client.execute(RESPCommand("HSET", "h", "a", 1))
        guard case .array = try await client.execute(RESPCommand("HGETALL", "h")) else {
            return #expect(Bool(false), "RESP2 was not spoken")
        }
        #expect(try await client.execute(RESPCommand("CLIENT", "GETNAME")).string == "old")
    }

    /// As proxies do that ask for a password of their own.
    @Test func fallsBackWhereHelloDoesNotAuthenticate() async throws {
        let isIn = NIOLockedValueBox(false)
        let server = try await ScriptedServer.start(greets: false) { words in
            if words == ["AUTH", "secret"] { isIn.withLockedValue { $0 = true } }
            if words == ["PING"], isIn.withLockedValue({ $0 }) { return "+PONG\r\n" }
            return isIn.withLockedValue { $0 } ? "+OK\r\n" : "-NOAUTH Authentication required.\r\n"
        }
        let client = RedisClient(port: server.port) { $0.password = "secret" }
        #expect(try await client.execute(RESPCommand("GET", "a")).string == "OK")
    }

    @Test func aRefusalAfterHelloDidNotAuthenticateIsTold() async throws {
        let server = try await ScriptedServer.start(greets: false) { words in
            words[0] == "AUTH" ? "-ERR invalid password\r\n" : "-NOAUTH Authentication required.\r\n"
        }
        let client = RedisClient(port: server.port) { $0.password = "wrong" }
        let error = try await clientError { try await client.connect() }
        #expect(error?.code == .authenticationFailed)
        #expect((error?.underlying as? RESPError)?.message == "invalid password")
    }

    /// As where it is asked whether it is still there.
    @Test(arguments: [("-LOADING x", true), ("-ERR unknown command 'PING'", true), ("+OK", false), ("$-1", false)])
    func whatIsAnAnswerToPing(answer: String, isOne: Bool) async throws {
        let server = try await ScriptedServer.start(answersPing: false) { $0 == ["PING"] ? "\(answer)\r\n" : "+OK\r\n" }
        let client = RedisClient(port: server.port) { $0.version = .resp2 }
        let error = try await clientError { try await client.connect() }
        #expect(error?.code == (isOne ? nil : .protocolViolation))
    }

    /// As in RESP3, where `HELLO` is answered meanwhile.
    @Test func aServerThatLoadsItsDataSaysSo() async throws {
        let server = try await ScriptedServer.start { ["PING", "GET"].contains($0[0]) ? "-LOADING x\r\n" : "+OK\r\n" }
        let client = RedisClient(port: server.port) { $0.version = .resp2 }
        // The time may be over while it is asked once more.
        let isTold = try await eventually {
            do {
                try await client.execute(RESPCommand("GET", "a"), timeout: .seconds(1))
                return false
            } catch let error as RedisClientError where error.isTimeout {
                return false
            } catch let error as RESPError where error.code == .loading {
                return true
            }
        }
        #expect(isTold)
    }

    /// In RESP2 nothing else tells what the server is.
    @Test(arguments: [("role", RedisClient.Configuration.Peer.primary, 0), ("select", .any, 1)])
    func aCommandThatTheUserMayNotRunIsNamed(name: String, peer: RedisClient.Configuration.Peer, database: Int)
        async throws
    {
        let server = try await RedisServer.start(arguments: [
            "--user", "app", "on", ">pw", "~*", "+@all", "-\(name)",
        ])
        let client = RedisClient(server) {
            $0.version = .resp2
            $0.peer = peer
            $0.database = database
            $0.username = "app"
            $0.password = "pw"
        }
        let error = try await clientError { try await client.connect() }
        #expect(error?.code == .authenticationFailed)
        #expect(error?.message.contains("run \(name.uppercased()),") == true)
        await client.close()
    }

    /// `HELLO` tells it, too.
    @Test func aUserWhoMayNotAskForTheRoleIsLetInToAPrimary() async throws {
        let user = ["--user", "app", "on", ">pw", "~*", "+@all", "-role"]
        let primary = try await RedisServer.start(arguments: user)
        let replica = try await RedisServer.start(arguments: user + ["--replicaof", "127.0.0.1", "\(primary.port)"])
        for (server, isPrimary) in [(primary, true), (replica, false)] {
            let client = RedisClient(server) {
                $0.peer = .primary
                $0.username = "app"
                $0.password = "pw"
            }
            let error = try await clientError { try await client.connect() }
            #expect((error == nil) == isPrimary)
            #expect(error == nil || error?.message == "The server is not a primary.")
        }
    }
}
