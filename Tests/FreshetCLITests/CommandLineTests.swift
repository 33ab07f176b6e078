import Foundation
import FreshetTesting
import NIOCore
import NIOHTTP1
import TestSupport
import Testing

@Suite("Command line")
struct CommandLineTests {
    @Test(
        "usage errors exit with 64",
        arguments: [
            ["nix"], ["get"], ["explain"], ["serve", "--port", "x"], ["set", "k"], ["--nix"],
            // Their path would be another's.
            ["warm", "a", ""], ["refresh", ""], ["expire", ""], ["remove", ""], ["explain", ""],
        ]
    )
    func usage(arguments: [String]) async throws {
        let run = try await Run(arguments)
        #expect(run.code == 64)
        #expect(run.output.isEmpty)
        #expect(run.errors.contains("Usage:"))
    }

    @Test("help lists every command and exits with 0")
    func help() async throws {
        let run = try await Run(["--help"])
        #expect(run.code == 0)
        for name in [
            "serve", "demo", "check", "fields", "warm", "refresh", "expire", "remove", "explain", "get", "set", "del",
            "ttl", "bench",
        ] {
            #expect(run.output.contains("\n  \(name) "))
        }
    }

    @Test("a bad configuration exits with 78 and says everything at once", arguments: ["serve", "check"])
    func configuration(command: String) async throws {
        let folder = try Folder()
        try folder.write(
            """
            store: mysql://h
            fields:
              a: { ttl: 0s, source: { file: { path: a.json } } }
              b: { ttl: 1m, sourc: {} }
            """,
            to: "freshet.yaml"
        )
        let run = try await Run([command], directory: folder.url)
        #expect(run.code == 78)
        let lines = run.errors.split(separator: "\n")
        #expect(lines.count == 4)
        #expect(lines.first?.hasPrefix("freshet.yaml:1:8: there is no store at mysql:// – ") == true)
        #expect(run.errors.contains("did you mean 'source'?"))
    }

    @Test("check tells what is there, and what is wrong, as JSON too")
    func check() async throws {
        struct Report: Decodable {
            struct Problem: Decodable {
                let line: Int?
                let message: String
            }
            let valid: Bool
            let fields: [String]
            let problems: [Problem]
        }
        let folder = try Folder()
        let file = try folder.write("fields: { a: { ttl: 1m, source: { file: { path: a.json } } } }", to: "f.yaml")
        try folder.write("[]", to: "a.json")
        let plain = try await Run(["check", "--config", file])
        #expect((plain.code, plain.errors) == (0, ""))
        #expect(plain.output == "\(file): valid; store memory://; fields: a\n")
        let json = try await Run(["check", "--config", file, "--json"])
        #expect(json.code == 0)
        #expect(try JSONDecoder().decode(Report.self, from: Data(json.output.utf8)).fields == ["a"])
        try folder.write("feilds: {}\nstoreTimeout: 0s", to: "f.yaml")
        let bad = try await Run(["check", "--json"], environment: ["FRESHET_CONFIG": file])
        #expect(bad.code == 78)
        let report = try JSONDecoder().decode(Report.self, from: Data(bad.output.utf8))
        #expect(!report.valid)
        #expect(report.problems.map(\.line) == [1, 2])
    }

    @Test("check warns of a file that is not there, or none that can be read")
    func missingFile() async throws {
        let folder = try Folder()
        let path = try folder.write(
            """
            fields:
              a: { ttl: 1m, source: { file: { path: data/a.json } } }
              b: { ttl: 1m, source: { file: { path: data } } }
            """,
            to: "f.yaml"
        )
        let data = folder.url.appendingPathComponent("data")
        try FileManager.default.createDirectory(at: data, withIntermediateDirectories: true)
        for arguments in [["check", "--config", path], ["check", "--config", path, "--offline"]] {
            let run = try await Run(arguments)
            #expect(run.code == 0)
            let lines = run.errors.split(separator: "\n")
            #expect(lines.count == 2)
            #expect(lines.first?.hasPrefix("warning: \(path):2:") == true)
            #expect(lines.first?.contains("field 'a' has nothing to read at /") == true)
            #expect(lines.first?.contains("/data/a.json: there is no file at a.json") == true)
            #expect(lines.last?.hasPrefix("warning: \(path):3:") == true)
            #expect(lines.last?.contains("data is not a regular file") == true)
        }
    }

    private static let airtable = """
        fields:
          changes: { ttl: 1m, source: { airtable: { base: appPeople00000001, table: Altas/Bajas 2024 } } }
          again: { ttl: 2m, source: { airtable: { base: appPeople00000001, table: Altas/Bajas 2024 } } }
        """

    @Test("check says which column the record's id hides, unless it is to stay offline; it asks a table once")
    func hiddenColumn() async throws {
        let folder = try Folder()
        let file = try folder.write(Self.airtable, to: "f.yaml")
        try await AirtableStandIn.withStandIn { standIn in
            let environment = ["AIRTABLE_TOKEN": standIn.token, "AIRTABLE_ENDPOINT": standIn.url]
            let run = try await Run(["check", "--config", file], environment: environment)
            #expect(run.code == 0)
            for (line, name) in [(2, "changes"), (3, "again")] {
                let message = "the table of field '\(name)' has a column named 'id', which the record's id hides"
                #expect(run.errors.contains(":\(line):"))
                #expect(run.errors.contains(message), "\(run.errors)")
            }
            #expect(standIn.statistics.requests == 2)
            // Nothing of what Airtable allows in a second is spent.
            for _ in 0..<5 {
                let url = "\(standIn.url)/v0/appPeople00000001/Personas?maxRecords=1"
                let headers: HTTPHeaders = ["Authorization": "Bearer \(standIn.token)"]
                #expect(try await HTTPAnswer(.GET, url, headers: headers).status == 200)
            }
            let offline = try await Run(["check", "--config", file, "--offline"], environment: environment)
            #expect((offline.code, offline.errors) == (0, ""))
        }
    }

    @Test("what Airtable refuses for good is a problem, what may pass a warning")
    func refusedTable() async throws {
        let folder = try Folder()
        let file = try folder.write(
            "\(Self.airtable)\n  gone: { ttl: 1m, source: { airtable: { base: appPeople00000001, table: Nadie } } }",
            to: "f.yaml"
        )
        try await AirtableStandIn.withStandIn { standIn in
            var environment = ["AIRTABLE_TOKEN": standIn.token, "AIRTABLE_ENDPOINT": standIn.url]
            let run = try await Run(["check", "--config", file], environment: environment)
            #expect(run.code == 78)
            #expect(run.output.isEmpty)
            #expect(run.errors.contains("warning: \(file):2:"))
            #expect(
                run.errors.contains("\(file):4:20: the table of field 'gone' cannot be looked at: "),
                "\(run.errors)"
            )
            environment["AIRTABLE_TOKEN"] = "patWrong.0"
            let refused = try await Run(["check", "--config", file, "--json"], environment: environment)
            #expect(refused.code == 78)
            #expect(refused.output.contains("\"valid\":false"))
            #expect(!(refused.output + refused.errors).contains("patWrong"))
            environment["AIRTABLE_TOKEN"] = standIn.token
            standIn.inject(.rateLimit)
            let closed = try await Run(["check", "--config", file], environment: environment)
            #expect(closed.code == 0)
            #expect(closed.errors.contains("warning: \(file):4:20: the table of field 'gone' cannot be looked at: "))
        }
    }

    @Test("a configuration that is not there exits with 78")
    func missing() async throws {
        let folder = try Folder()
        for command in ["serve", "check"] {
            let run = try await Run([command], directory: folder.url)
            #expect(run.code == 78)
            #expect(run.errors.contains("freshet.yaml: there is no such file"))
        }
    }

    @Test("a wrong log level exits with 78")
    func logLevel() async throws {
        let folder = try Folder()
        try folder.write("fields: {}", to: "freshet.yaml")
        for command in ["serve", "check"] {
            let run = try await Run([command], environment: ["FRESHET_LOG_LEVEL": "loud"], directory: folder.url)
            #expect(run.code == 78)
            #expect(run.errors.contains("'loud' is no log level"))
        }
    }

    @Test("check tells what is wrong in the file and in the environment at once")
    func fileAndEnvironment() async throws {
        let folder = try Folder()
        try folder.write("fields: {}\nspeed: 3", to: "freshet.yaml")
        let run = try await Run(["check"], environment: ["FRESHET_LOG_LEVEL": "loud"], directory: folder.url)
        #expect(run.code == 78)
        #expect(run.errors.contains("'loud' is no log level"))
        #expect(run.errors.contains("freshet.yaml:2:1: "))
    }

    @Test("an authority that cannot be read exits with 78", arguments: ["missing.pem", "empty.pem"])
    func authority(path: String) async throws {
        let folder = try Folder()
        try folder.write("fields: {}", to: "freshet.yaml")
        try folder.write("", to: "empty.pem")
        for command in ["serve", "check"] {
            let run = try await Run([command, "--store", "rediss://localhost?cacert=\(path)"], directory: folder.url)
            #expect(run.code == 78)
            #expect(run.errors.contains("no certificate can be read from '\(path)'"))
        }
    }

    @Test(
        "a port that is none is wrong usage in an option, and a wrong configuration elsewhere",
        arguments: ["serve", "check", "demo", "upstash"]
    )
    func port(command: String) async throws {
        for port in ["99999", "-1", "x"] {
            let run = try await Run([command, "--port=\(port)"])
            #expect(run.code == 64, "\(port)")
        }
        let folder = try Folder()
        try folder.write("fields: {}", to: "freshet.yaml")
        let run = try await Run([command], environment: ["FRESHET_PORT": "99999"], directory: folder.url)
        #expect(run.code == 78)
        #expect(run.errors.contains("FRESHET_PORT: '99999' is no port"))
    }

    @Test(
        "a URL with a password, and a token that is none, are usage errors that show neither",
        arguments: [
            ["--url", "http://user:SECRET@127.0.0.1:1"], ["--url", "http://SECRET@127.0.0.1:1"],
            ["--url", "http://127.0.0.1:1?token=SECRET"], ["--url", "ftp://user:SECRET@127.0.0.1"],
            ["--url", "http://127.0.0.1:99999"], ["--url", "http://[::1]:70000"], ["--url", "http://127.0.0.1:0"],
            ["--token", "adm\u{1}SECRET"], ["--token", "SECRET\r\nX: y"], ["--token", "SECRETñ"],
        ]
    )
    func secrets(options: [String]) async throws {
        for command in [["fields"], ["refresh", "a"], ["explain", "a"]] {
            let run = try await Run(command + options)
            #expect(run.code == 64)
            #expect(!run.errors.isEmpty)
            #expect(!(run.output + run.errors).contains("SECRET"), "\(run.errors)")
        }
    }

    @Test("a service that redirects is none, wherever to")
    func redirects() async throws {
        for location in ["http://127.0.0.1:99999/", "/"] {
            let server = try await RawServer.start { _ in
                RawServer.Answer("302 Found", "Location: \(location)", "Content-Length: 0")
            }
            let run = try await Run(["fields", "--url", server.url])
            #expect(run.code == 65)
            #expect(run.errors.contains("redirects elsewhere"))
            #expect(server.requests.count == 1)
        }
    }

    @Test(
        "what is no Freshet service exits with 65, what is too busy with 69",
        arguments: [
            ("remove a", "200 OK", "X-Y: z", 65), ("refresh a", "200 OK", "Cache-Status: other; hit", 65),
            ("fields", "418 Teapot", "X-Y: z", 65), ("expire a", "501 Unsupported", "X-Y: z", 65),
            ("warm a", "429 Slow Down", "X-Y: z", 69),
        ]
    )
    func otherServices(command: String, status: String, field: String, code: Int32) async throws {
        let server = try await RawServer.start { _ in RawServer.Answer(status, field, "Content-Length: 0") }
        let run = try await Run(command.split(separator: " ").map(String.init) + ["--url", server.url])
        #expect(run.code == code, "\(run.errors)")
    }

    @Test(
        "an answer that breaks off exits with 69, one with a status below 100 with 65",
        arguments: [
            ("HTTP/1.1 200 OK\r\nContent-Le", 69), ("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{", 69),
            ("HTTP/1.1 099 X\r\nContent-Length: 1\r\n\r\n{", 65), ("HTTP/1.1 000 X\r\n\r\n", 65),
        ]
    )
    func brokenAnswers(answer: String, code: Int32) async throws {
        let server = try await RawServer.start { _ in RawServer.Answer(raw: answer) }
        for command in [["fields"], ["refresh", "a"]] {
            let run = try await Run(command + ["--url", server.url])
            #expect(run.code == code, "\(run.errors)")
            #expect(run.errors.contains(code == 69 ? ": the connection broke\n" : "as a Freshet service does\n"))
        }
    }

    @Test("an answer that is no HTTP exits with 65, and what a service says cannot govern the terminal")
    func otherProtocols() async throws {
        let ssh = try await RawServer.start { _ in RawServer.Answer(raw: "SSH-2.0-OpenSSH\r\n") }
        let other = try await Run(["fields", "--url", ssh.url])
        #expect(other.code == 65)
        #expect(other.errors == "freshet: \(ssh.url) did not answer as a Freshet service does\n")
        let body = ByteBuffer(string: #"{"error":"\u001b[31mX","message":"a\n\rb"}"#)
        let colourful = try await RawServer.start { _ in
            RawServer.Answer("502 Bad Gateway", "Content-Length: \(body.readableBytes)", body: body)
        }
        let run = try await Run(["fields", "--url", colourful.url])
        #expect(run.code == 69)
        #expect(run.errors == "freshet:  [31mX: a  b\n")
    }

    @Test("a service's answers cannot govern the terminal")
    func governedTerminals() async throws {
        let state =
            #"{"freshness":"\u001b[2J","age":1e300,"ttl":-1e300,"isLoading":false,"isIdle":false,"failure":"\u009b1m"}"#
        let policy = """
            {"ttl":"\\u001bc","jitter":0,"backgroundCompletion":true\
            \("staleWhileRevalidate staleIfError staleIfErrorThrottle negativeTTL errorBackoff hardDeadline minRefreshInterval httpMaxAge"
                .split(separator: " ").map { ",\"\($0)\":\"1s\"" }.joined())}
            """
        let advice = #""advice":["\r\u001b]0;x\u0007"]"#
        let field = #"{"name":"\u001ba","key":"\u0008k","policy":\#(policy),"state":\#(state),\#(advice)}"#
        let event = #"{"ago":1,"count":1,"kind":"read","text":"\u001b[31m"}"#
        let answers = [
            "fields": #"{"fields":[\#(field)],"store":"up"}"#,
            "explain a": #"{"field":"\u001ba","store":"up","state":\#(state),\#(advice),"events":[\#(event)]}"#,
        ]
        for (command, answer) in answers {
            let body = ByteBuffer(string: answer)
            let server = try await RawServer.start { _ in
                RawServer.Answer("200 OK", "Content-Length: \(body.readableBytes)", body: body)
            }
            let run = try await Run(command.split(separator: " ").map(String.init) + ["--url", server.url])
            #expect(run.code == 0, "\(run.errors)")
            #expect(run.output.contains("[2J") && run.output.contains("1m"))
            let lines = run.output.split(separator: "\n")
            #expect(lines.allSatisfy { !$0.unicodeScalars.contains { $0.properties.generalCategory == .control } })
        }
    }

    @Test("an address that cannot be found exits with 69, none at all with 78", arguments: ["serve", "upstash"])
    func listener(command: String) async throws {
        let folder = try Folder()
        try folder.write("fields: {}", to: "freshet.yaml")
        let token = command == "upstash" ? ["--token", "t"] : []
        let arguments = [command, "--store", "memory://", "--port", "0"] + token
        let unknown = try await Run(arguments + ["--host", "no-such-host.invalid"], directory: folder.url)
        #expect(unknown.code == 69)
        #expect(unknown.errors.contains("cannot listen on http://no-such-host.invalid:0"))
        let empty = try await Run(arguments + ["--host", ""], directory: folder.url)
        #expect(empty.code == 78)
        #expect(empty.errors.contains("--host: there is no address to listen on"))
    }

    @Test(
        "field commands exit with 69 where no service listens",
        arguments: ["fields", "warm", "refresh a", "remove a", "explain a"]
    )
    func noService(command: String) async throws {
        let port = try LoopbackSocket.freePort()
        let words = command.split(separator: " ").map(String.init)
        let run = try await Run(words + ["--url", "http://127.0.0.1:\(port)"])
        #expect(run.code == 69)
        #expect(run.errors == "freshet: no answer from http://127.0.0.1:\(port): Connection refused\n")
    }
}

@Suite("Standard output")
struct StandardOutputTests {
    private let folder: Folder

    init() throws {
        folder = try Folder()
        try folder.write("fields: { a: { ttl: 1m, source: { file: { path: a.json } } } }", to: "freshet.yaml")
        try folder.write("[]", to: "a.json")
    }

    @Test("what cannot be written is no success", .enabled(if: FileManager.default.fileExists(atPath: "/dev/full")))
    func full() async throws {
        let full = try #require(FileHandle(forWritingAtPath: "/dev/full"))
        for arguments in [["check"], ["check", "--json"]] {
            let run = try FreshetProcess(arguments, directory: folder.url, output: full)
            #expect(await run.exitCode() == 70)
            #expect(
                run.standardError.hasSuffix("freshet: standard output cannot be written: No space left on device\n")
            )
        }
    }

    @Test("where standard output is closed, nothing that is opened takes its place")
    func closed() async throws {
        let run = try FreshetProcess(["check"], directory: folder.url, hasOutput: false)
        #expect(await run.exitCode() == 70)
        let reason = "freshet: standard output cannot be written: Bad file descriptor\n"
        #expect(run.standardError == reason, "\(run.standardError)")
    }

    @Test("a service serves whether or not its ready line can be written")
    func announced() async throws {
        let port = try LoopbackSocket.freePort()
        let nowhere = try #require(FileHandle(forReadingAtPath: "/dev/null"))
        let service = try FreshetProcess(["serve", "--port", "\(port)"], directory: folder.url, output: nowhere)
        let serves = await eventually {
            (try? await HTTPAnswer(.GET, "http://127.0.0.1:\(port)/healthz").status) == 200
        }
        #expect(serves)
        #expect(service.standardError.contains("standard output cannot be written"))
        service.terminate()
        #expect(await service.exitCode() == 0)
    }

    @Test("a reader that has gone is no failure")
    func left() async throws {
        let pipe = Pipe()
        try pipe.fileHandleForReading.close()
        let run = try FreshetProcess(["check"], directory: folder.url, output: pipe.fileHandleForWriting)
        #expect(await run.exitCode() == 0)
        #expect(run.standardError == "")
    }
}

@Suite("Key commands")
struct KeyCommandTests {
    @Test("set, get, ttl and del on a real server")
    func keys() async throws {
        let server = try await RedisServer.start()
        let environment = ["FRESHET_STORE": server.url]
        func run(_ arguments: String...) async throws -> Run { try await Run(arguments, environment: environment) }
        #expect(try await run("set", "k", "{\"a\":1}").output == "OK\n")
        #expect(try await run("get", "k").output == "{\"a\":1}\n")
        // To the nearest second, as Redis: not 99 as soon as a millisecond has passed.
        let isRounded = try await eventually(within: .seconds(60)) {
            _ = try await run("set", "k", "{\"a\":1}", "--ex", "100")
            return try await run("ttl", "k").output == "100\n"
        }
        #expect(isRounded)
        #expect(try await run("set", "k", "2", "--nx").output == "not stored\n")
        #expect(try await run("set", "k", "2", "--xx", "--json").output == "{\"key\":\"k\",\"stored\":true}\n")
        #expect(try await run("ttl", "k").output == "-1\n")
        #expect(try await run("get", "k", "--json").output == "{\"key\":\"k\",\"value\":\"2\"}\n")
        #expect(try await run("del", "k", "none").output == "1\n")
        #expect(try await run("ttl", "k").output == "-2\n")
        let missing = try await run("get", "k")
        #expect(missing.code == 0)
        #expect(missing.output.isEmpty)
        #expect(try await run("get", "k", "--json").output == "{\"key\":\"k\",\"value\":null}\n")
        #expect(try await run("set", "k", "2", "--nx", "--xx").code == 64)
        let dashed = try await run("set", "k", "-5")
        #expect(dashed.code == 64)
        #expect(dashed.errors.contains("behind --"))
        #expect(try await run("set", "--ex", "100", "k", "--", "-5").output == "OK\n")
        #expect(try await run("get", "k").output == "-5\n")
        #expect(try await Run(["del", "x"], environment: ["REDIS_URL": " \"\(server.url)\" "]).code == 0)
    }

    @Test("memory:// is refused with 78", arguments: ["get k", "set k v", "del k", "ttl k", "bench"])
    func memory(command: String) async throws {
        let words = command.split(separator: " ").map(String.init)
        let folder = try Folder()
        for arguments in [words, words + ["--store", "memory://"]] {
            let run = try await Run(arguments, directory: folder.url)
            #expect(run.code == 78)
            #expect(run.errors.contains("memory:// is inside the service"))
        }
    }

    @Test("a store of no kind is refused with 78, and no advice to write memory://")
    func unknownStore() async throws {
        let run = try await Run(["get", "k", "--store", "unix:///tmp/redis"])
        #expect(run.code == 78)
        #expect(run.errors.hasPrefix("--store: there is no store at unix:// – write redis[s]://"))
        #expect(!run.errors.contains("memory://"))
    }

    @Test("a value of another type exits with 65")
    func wrongType() async throws {
        let server = try await RedisServer.start()
        try server.command("HSET h a 1")
        let run = try await Run(["get", "h", "--store", server.url])
        #expect(run.code == 65)
        #expect(run.output.isEmpty)
        #expect(run.errors.contains("WRONGTYPE"))
    }

    @Test("a value that is no text is written byte for byte, and not as JSON")
    func bytes() async throws {
        let server = try await RedisServer.start()
        try server.command(#"SET k "a\xff""#)
        let run = try await Run(["get", "k", "--store", server.url])
        #expect(run.code == 0)
        #expect(run.bytes == Data([0x61, 0xFF, 0x0A]))
        let json = try await Run(["get", "k", "--store", server.url, "--json"])
        #expect(json.code == 65)
        #expect(json.output.isEmpty)
        #expect(json.errors.contains("the value of 'k' is not UTF-8"))
    }

    @Test(
        "a refused password or database exits with 78, at once",
        arguments: ["get k", "set k v", "del k", "ttl k", "bench", "serve --port 0", "upstash --token t --port 0"]
    )
    func refusedPassword(command: String) async throws {
        let server = try await RedisServer.start(arguments: ["--requirepass", "sesame"])
        let folder = try Folder()
        try folder.write("fields: {}", to: "freshet.yaml")
        for (user, reason) in [("", "asks for a password"), (":hunter2@", "refused the credentials")] {
            let store = "redis://\(user)127.0.0.1:\(server.port)"
            let arguments = command.split(separator: " ").map(String.init) + ["--store", store]
            let run = try await Run(arguments, directory: folder.url)
            #expect(run.code == 78)
            #expect(run.errors.contains(reason), "\(run.errors)")
            #expect(!run.errors.contains("hunter2"))
        }
        let store = "redis://:sesame@127.0.0.1:\(server.port)/99"
        let run = try await Run(
            command.split(separator: " ").map(String.init) + ["--store", store],
            directory: folder.url
        )
        #expect(run.code == 78)
        #expect(run.errors.contains("refused the database"), "\(run.errors)")
    }

    @Test("the store of a configuration is used whatever else is wrong in it")
    func storeOfConfiguration() async throws {
        let server = try await RedisServer.start()
        let folder = try Folder()
        let file = try folder.write(
            """
            store: \(server.url)
            feilds: {}
            fields: { a: { ttl: 1m, source: { http: { url: "${NOT_SET}" } } } }
            """,
            to: "freshet.yaml"
        )
        #expect(try await Run(["set", "k", "v"], directory: folder.url).output == "OK\n")
        #expect(try await Run(["get", "k"], environment: ["FRESHET_CONFIG": file]).output == "v\n")
        try folder.write("fields: {}\nstore: ${NOT_SET}", to: "freshet.yaml")
        let run = try await Run(["get", "k"], directory: folder.url)
        #expect(run.code == 78)
        #expect(run.errors.hasPrefix("freshet.yaml:2:8: the environment variable NOT_SET is not set – "))
        let missing = try await Run(["get", "k"], environment: ["FRESHET_CONFIG": "nix.yaml"], directory: folder.url)
        #expect(missing.code == 78)
        #expect(missing.errors.hasPrefix("nix.yaml: there is no such file – "))
    }

    @Test("help names every store that is taken", arguments: ["serve", "check", "get", "set", "del", "ttl", "bench"])
    func help(command: String) async throws {
        let run = try await Run([command, "--help"])
        #expect(run.code == 0)
        let text = run.output.split(whereSeparator: \.isWhitespace).joined(separator: " ")
        let forms = ["redis[s]:", "redis+cluster[s]:", "redis+sentinel[s]:", "upstash:", "https://host?_token=…"]
        for form in forms { #expect(text.contains(form), "\(form)") }
        #expect(text.contains("memory://") == ["serve", "check"].contains(command))
    }

    @Test("a store that is not there exits with 69, and no password is shown")
    func dead() async throws {
        let port = try LoopbackSocket.freePort()
        let run = try await Run(["get", "k", "--store", "redis://u:hunter2@127.0.0.1:\(port)"])
        #expect(run.code == 69)
        #expect(!run.errors.contains("hunter2"))
    }
}
