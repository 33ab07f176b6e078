import Foundation
import NIOConcurrencyHelpers
import NIOCore
import NIOHTTP1
import TestSupport
import Testing

@Suite("Serve")
struct ServeTests {
    static let yaml = """
        fields:
          offices:
            ttl: 1h
            staleIfError: 1h
            route: /offices
            source: { file: { path: offices.json } }
        """

    static func folder() throws -> Folder {
        let folder = try Folder()
        try folder.write("[{\"city\":\"Bogotá\"}]", to: "offices.json")
        try folder.write(yaml, to: "freshet.yaml")
        return folder
    }

    /// Takes connections, and says nothing on them.
    private static func listener() async throws -> (any Channel, port: Int) {
        let channel = try await listenOnLoopback()
        return (channel, try #require(channel.localAddress?.port))
    }

    /// A service with one field `slow`, once it is ready.
    static func slowService() async throws -> (FreshetProcess, url: String, SlowSource) {
        let folder = try folder()
        let source = try await SlowSource.start()
        try folder.write(
            "fields: { slow: { ttl: 1m, source: { http: { url: \(source.url) } } } }",
            to: "freshet.yaml"
        )
        let service = try FreshetProcess(["serve", "--port", "0"], directory: folder.url)
        return (service, try #require(await service.ready()), source)
    }

    @Test("serves from memory with a loud warning, and drains on SIGTERM", arguments: [true, false])
    func memory(bySIGTERM: Bool) async throws {
        let folder = try Self.folder()
        let service = try FreshetProcess(["serve", "--port", "0"], directory: folder.url)
        let url = try #require(await service.ready())
        #expect(service.standardOutput == "freshet: listening on \(url)\n")
        #expect(!url.hasSuffix(":0"))
        #expect(service.standardError.contains("NO STORE IS CONFIGURED"))
        let loaded = try await HTTPAnswer(.GET, "\(url)/api/fields/offices")
        #expect(loaded.body == "[{\"city\":\"Bogotá\"}]")
        #expect(loaded["Cache-Status"] == "freshet; fwd=miss; stored")
        #expect(try await HTTPAnswer(.GET, "\(url)/offices")["Cache-Status"]?.hasPrefix("freshet; hit; ttl=3") == true)
        #expect(try await HTTPAnswer(.GET, "\(url)/readyz").status == 200)
        let metrics = try await HTTPAnswer(.GET, "\(url)/metrics").body
        #expect(metrics.contains("freshet_reads_total{field=\"offices\",status=\"hit\"} 1\n"))
        #expect(metrics.contains("freshet_loads_total{field=\"offices\",outcome=\"changed\"} 1\n"))
        if bySIGTERM { service.terminate() } else { service.interrupt() }
        #expect(await service.exitCode() == 0)
    }

    @Test("field commands work on it")
    func commands() async throws {
        let folder = try Self.folder()
        let environment = ["FRESHET_ADMIN_TOKEN": "admin", "FRESHET_PORT": "0", "FRESHET_STORE": "memory://"]
        let service = try FreshetProcess(["serve"], environment: environment, directory: folder.url)
        let url = try #require(await service.ready())
        let token = ["FRESHET_ADMIN_TOKEN": "admin"]
        func run(_ arguments: String...) async throws -> Run {
            try await Run(arguments + ["--url", url], environment: token)
        }
        let warm = try await run("warm")
        #expect(warm.output == "offices: 20 bytes (freshet; fwd=miss; stored)\n")
        #expect(try await run("fields").output.split(separator: "\n").last?.hasPrefix("offices  fresh  ") == true)
        #expect(
            try await run("refresh", "offices", "--json").output.contains("\"status\":\"freshet; fwd=request; stored\"")
        )
        #expect(try await run("expire", "offices").output == "offices: expired\n")
        #expect(try await run("remove", "offices", "--json").code == 0)
        #expect(try await run("fields", "--json").output.contains("\"freshness\":\"gone\""))
        let explained = try await run("explain", "offices")
        #expect(explained.code == 0)
        #expect(explained.output.hasPrefix("offices: gone\n"))
        #expect(explained.output.contains(" ago  read: this process held nothing; loaded from the source\n"))
        #expect(explained.output.contains(" ago  read: forced; loaded anew\n"))
        #expect(explained.output.contains(" ago  removed on this node\n"))
        let json = try await run("explain", "offices", "--json")
        #expect(json.output.contains("\"kind\":\"load\",\"result\":\"changed\""))
        #expect(!(explained.output + json.output).contains("admin"))
        #expect(try await run("explain", "office").code == 65)
        #expect(try await Run(["explain", "offices", "--url", url]).code == 78)
        let unknown = try await run("refresh", "office")
        #expect(unknown.code == 65)
        #expect(unknown.errors.contains("there is no field 'office'"))
        let refused = try await Run(["refresh", "offices", "--url", url, "--token", "wrong"])
        #expect(refused.code == 78)
        try folder.write("{", to: "offices.json")
        let failed = try await run("warm", "offices")
        #expect(failed.code == 69)
        #expect(failed.errors.contains("1 of 1 fields could not be loaded"))
    }

    @Test("that it speaks no TLS is told in words")
    func noTLS() async throws {
        let folder = try Self.folder()
        let service = try FreshetProcess(["serve", "--port", "0"], directory: folder.url)
        let url = try #require(await service.ready()).replacing("http:", with: "https:")
        for arguments in [["fields", "--url", url], ["get", "k", "--store", "\(url)?_token=t"]] {
            let run = try await Run(arguments)
            #expect(run.code == 69)
            let reason = ": TLS could not be agreed on; the port may be one for plain HTTP\n"
            #expect(run.errors.hasSuffix(reason), "\(run.errors)")
        }
    }

    @Test(
        "C10: a store that is not there ends it with 69 within ten seconds",
        arguments: ["redis://127.0.0.1:", "rediss://127.0.0.1:"]
    )
    func dead(prefix: String) async throws {
        let folder = try Self.folder()
        let store = "\(prefix)\(try LoopbackSocket.freePort())"
        let run = try await Run(
            ["serve", "--port", "0", "--store", store],
            directory: folder.url,
            within: .seconds(10)
        )
        #expect(run.code == 69)
        #expect(run.output.isEmpty)
        let reason = "freshet: store: \(store.split(separator: "/")[1]): Connection refused\n"
        // Where the machine stood still meanwhile.
        let late = "freshet: store: the store did not answer 'ping' within 0.75 seconds\n"
        #expect(run.errors.hasSuffix(reason) || run.errors.hasSuffix(late), "\(run.errors)")
    }

    @Test("C10: a store that accepts and never answers ends it with 69 within ten seconds")
    func hung() async throws {
        let folder = try Self.folder()
        let (silent, port) = try await Self.listener()
        let run = try await Run(
            ["serve", "--port", "0", "--store", "redis://127.0.0.1:\(port)"],
            directory: folder.url,
            within: .seconds(10)
        )
        #expect(run.code == 69)
        try await silent.close()
    }

    @Test("a port that is taken ends it with 69")
    func taken() async throws {
        let folder = try Self.folder()
        let (other, port) = try await Self.listener()
        let run = try await Run(["serve", "--port", "\(port)"], directory: folder.url)
        #expect(run.code == 69)
        #expect(run.errors.hasSuffix("freshet: cannot listen on http://127.0.0.1:\(port): Address already in use\n"))
        try await other.close()
    }

    @Test("an address may stand in brackets, as in URLs", arguments: ["serve", "upstash --token t"])
    func brackets(command: String) async throws {
        let words = command.split(separator: " ").map(String.init)
        let arguments = words + ["--host", "[::1]", "--port", "0", "--store", "memory://"]
        let folder = try Self.folder()
        let service = try FreshetProcess(arguments, directory: folder.url)
        if let url = await service.ready() {
            #expect(url.hasPrefix("http://[::1]:"))
            #expect(try await HTTPAnswer(.GET, url).status > 0)
        } else {
            // A machine without IPv6.
            #expect(service.standardError.contains("Cannot assign requested address"))
        }
    }

    @Test("C10: outlives a redis-server that is killed and comes back empty")
    func restart() async throws {
        let folder = try Self.folder()
        let server = try await RedisServer.start()
        let service = try FreshetProcess(["serve", "--port", "0", "--store", server.url], directory: folder.url)
        let url = try #require(await service.ready())
        let field = "\(url)/api/fields/offices"
        #expect(try await HTTPAnswer(.GET, field).status == 200)
        #expect(try await Run(["get", "offices", "--store", server.url]).output.contains("Bogotá"))
        await server.stop()
        for _ in 0..<10 { #expect(try await HTTPAnswer(.GET, field).body.contains("Bogotá")) }
        #expect(try await HTTPAnswer(.DELETE, field).status == 202)
        #expect(try await HTTPAnswer(.GET, field).body.contains("Bogotá"))
        try await server.restart()
        let isBack = try await eventually {
            _ = try await HTTPAnswer(.GET, "\(field)?maxAge=0")
            return try await Run(["get", "offices", "--store", server.url]).output.contains("Bogotá")
        }
        #expect(isBack)
        let isReady = try await eventually {
            try await HTTPAnswer(.GET, "\(url)/readyz").body.contains("ready")
        }
        #expect(isReady)
        service.terminate()
        #expect(await service.exitCode() == 0)
    }

    @Test("it is ready but degraded while the store is away, whether or not somebody reads")
    func degraded() async throws {
        let folder = try Self.folder()
        let server = try await RedisServer.start()
        let service = try FreshetProcess(["serve", "--port", "0", "--store", server.url], directory: folder.url)
        let url = try #require(await service.ready())
        func becomes(_ status: String) async throws -> Bool {
            try await eventually {
                let answer = try await HTTPAnswer(.GET, "\(url)/readyz")
                return answer.status == 200 && answer.body == "{\"status\":\"\(status)\"}"
            }
        }
        #expect(try await becomes("ready"))
        await server.stop()
        #expect(try await becomes("degraded"))
        try await server.restart()
        #expect(try await becomes("ready"))
    }

    @Test("two services on one store hear of each other's removals at once")
    func backplane() async throws {
        let folder = try Self.folder()
        try folder.write("l1: { recheck: 1h }\n" + Self.yaml, to: "freshet.yaml")
        let server = try await RedisServer.start()
        let arguments = ["serve", "--port", "0", "--store", server.url]
        let services = [
            try FreshetProcess(arguments, directory: folder.url), try FreshetProcess(arguments, directory: folder.url),
        ]
        let a = try #require(await services[0].ready())
        let b = try #require(await services[1].ready())
        #expect(try await HTTPAnswer(.GET, "\(a)/offices")["Cache-Status"] == "freshet; fwd=miss; stored")
        #expect(try await HTTPAnswer(.GET, "\(b)/offices")["Cache-Status"]?.hasPrefix("freshet; hit") == true)
        try folder.write("[\"new\"]", to: "offices.json")
        #expect(try await HTTPAnswer(.DELETE, "\(a)/api/fields/offices").status == 204)
        let heard = try await eventually { try await HTTPAnswer(.GET, "\(b)/offices").body == "[\"new\"]" }
        #expect(heard)
        for service in services { service.terminate() }
        for service in services { #expect(await service.exitCode() == 0) }
    }

    @Test("of two services with a failing field one tells the webhook, which is in no log")
    func notifications() async throws {
        let folder = try Self.folder()
        let server = try await RedisServer.start()
        let webhook = try await WebhookStandIn.start()
        try folder.write("{", to: "offices.json")
        try folder.write(
            "notifications: { webhook: '${ALERT_WEBHOOK}', failures: 1 }\n" + Self.yaml
                + "\n    minRefreshInterval: 0s",
            to: "freshet.yaml"
        )
        let environment = ["ALERT_WEBHOOK": webhook.url, "FRESHET_LOG_LEVEL": "trace"]
        var services: [FreshetProcess] = []
        for _ in 0..<2 {
            let arguments = ["serve", "--port", "0", "--store", server.url]
            let service = try FreshetProcess(arguments, environment: environment, directory: folder.url)
            services.append(service)
            let url = try #require(await service.ready())
            #expect(try await HTTPAnswer(.POST, "\(url)/api/fields/offices/refresh?purge=true").status == 502)
        }
        #expect(await eventually { !webhook.bodies.isEmpty })
        for service in services { service.terminate() }
        for service in services { #expect(await service.exitCode() == 0) }
        #expect(webhook.bodies.count == 1)
        let body = try #require(webhook.bodies.first)
        #expect(body.contains("\"text\":\"offices: "))
        #expect(body.contains("\"event\":\"loadsFailing\",\"failures\":1,\"field\":\"offices\""))
        for service in services { #expect(!service.standardError.contains("s3cret")) }
    }

    @Test("requests that are under way when it is told to stop are answered")
    func drain() async throws {
        let (service, url, slow) = try await Self.slowService()
        async let answer = HTTPAnswer(.GET, "\(url)/api/fields/slow")
        #expect(await eventually { slow.isAsked })
        service.terminate()
        // It has stopped listening.
        #expect(await eventually { (try? await HTTPAnswer(.GET, "\(url)/healthz")) == nil })
        #expect(service.isRunning)
        slow.answer()
        #expect(try await answer.body == "\"done\"")
        #expect(await service.exitCode() == 0)
    }

    @Test("a terminal that closes ends it as SIGTERM does, unless nohup started it", arguments: [false, true])
    func hangUp(isIgnored: Bool) async throws {
        let folder = try Self.folder()
        let service = try FreshetProcess(
            ["serve", "--port", "0"],
            directory: folder.url,
            outlivesTerminal: isIgnored
        )
        let url = try #require(await service.ready())
        service.hangUp()
        if isIgnored {
            for _ in 0..<50 { #expect(try await HTTPAnswer(.GET, "\(url)/healthz").status == 200) }
            service.terminate()
        }
        #expect(await service.exitCode() == 0)
    }

    @Test("C3: a load is cancelled when the last client that waits for it has gone")
    func abandoned() async throws {
        let folder = try Self.folder()
        let slow = try await SlowSource.start()
        try folder.write(
            "fields: { slow: { ttl: 1m, backgroundCompletion: false, source: { http: { url: \(slow.url) } } } }",
            to: "freshet.yaml"
        )
        let service = try FreshetProcess(["serve", "--port", "0"], directory: folder.url)
        let url = try #require(await service.ready())
        let clients = (0..<3).map { _ in Task { try await HTTPAnswer(.GET, "\(url)/api/fields/slow") } }
        #expect(await eventually { slow.isAsked })
        for client in clients { client.cancel() }
        #expect(await eventually { slow.isLeft })
        let isOver = try await eventually {
            try await HTTPAnswer(.GET, "\(url)/api/fields").body.contains("\"isLoading\":false")
        }
        #expect(isOver)
        service.terminate()
        #expect(await service.exitCode(within: .seconds(10)) == 0)
    }

    @Test("told to stop before it is ready, it ends with 0", arguments: ["serve", "upstash --token t"])
    func stoppedEarly(command: String) async throws {
        let folder = try Self.folder()
        let connections = NIOLockedValueBox(0)
        let silent = try await listenOnLoopback { _ in connections.withLockedValue { $0 += 1 } }
        let store = "redis://127.0.0.1:\(try #require(silent.localAddress?.port))"
        let words = command.split(separator: " ").map(String.init)
        let service = try FreshetProcess(words + ["--port", "0", "--store", store], directory: folder.url)
        #expect(await eventually { connections.withLockedValue { $0 > 0 } })
        service.terminate()
        #expect(await service.exitCode(within: .seconds(10)) == 0)
        #expect(service.standardOutput.isEmpty)
        try await silent.close()
    }

    @Test("told to stop while it reads its configuration, it ends with 0", arguments: [SIGTERM, SIGINT, SIGHUP])
    func stoppedWhileReading(signal: Int32) async throws {
        let folder = try Folder()
        let pipe = folder.url.appendingPathComponent("freshet.yaml").path
        try #require(mkfifo(pipe, 0o600) == 0)
        let service = try FreshetProcess(["serve"], directory: folder.url)
        var end: Int32 = -1
        #expect(
            await eventually {
                end = open(pipe, O_WRONLY | O_NONBLOCK)
                return end >= 0
            }
        )
        defer { close(end) }
        service.tell(signal)
        #expect(await service.exitCode() == 0)
    }

    @Test("demo says what to try, and that works")
    func demo() async throws {
        let demo = try FreshetProcess(["demo", "--port", "0"], environment: ["FRESHET_HOST": "127.0.0.2"])
        let url = try #require(await demo.ready())
        #expect(url.hasPrefix("http://127.0.0.2:"))
        #expect(await eventually { demo.standardOutput.contains("Stop with Ctrl-C.") })
        #expect(demo.standardOutput.contains("curl -i \(url)/api/airtable/agents "))
        let answer = try await HTTPAnswer(.GET, "\(url)/api/airtable/agents")
        #expect(answer["Cache-Status"] == "freshet; fwd=miss; stored")
        #expect(answer.body.hasPrefix("[{\"id\":\"rec"))
        demo.interrupt()
        #expect(await demo.exitCode() == 0)
    }

    @Test("off loopback, what demo says to try asks for changes with the admin token, which it does not show")
    func demoForOthers() async throws {
        let demo = try FreshetProcess(
            ["demo", "--port", "0"],
            environment: ["FRESHET_HOST": "0.0.0.0", "FRESHET_ADMIN_TOKEN": "s3cret"]
        )
        let url = try #require(await demo.ready())
        #expect(await eventually { demo.standardOutput.contains("Stop with Ctrl-C.") })
        let output = demo.standardOutput
        let authorization = #"-H "Authorization: Bearer $FRESHET_ADMIN_TOKEN""#
        let field = "\(url)/api/fields/agents"
        #expect(output.contains("curl -i -X POST \(authorization) \(field)/refresh "))
        #expect(output.contains("curl -i -X DELETE \(authorization) '\(field)?soft=true' "))
        #expect(!(output + demo.standardError).contains("s3cret"))
        let headers: HTTPHeaders = ["Authorization": "Bearer s3cret"]
        #expect(try await HTTPAnswer(.POST, "\(field)/refresh", headers: headers).status == 200)
        #expect(try await HTTPAnswer(.DELETE, "\(field)?soft=true", headers: headers).status == 204)
        demo.interrupt()
        #expect(await demo.exitCode() == 0)
    }
}
