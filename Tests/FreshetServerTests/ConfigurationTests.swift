import Foundation
import Freshet
import FreshetSources
import RedisClient
import TestSupport
import Testing
import UpstashClient

@testable import FreshetServer

@Suite("Configuration")
struct ConfigurationTests {
    /// No setting has its default.
    static let whole = """
        store: redis://127.0.0.1:6379
        storeTimeout: 400ms
        server: { host: 127.0.0.2, port: 8081, readToken: '${READ_TOKEN}', cors: [https://app.example] }
        l1: { maxBytes: 48MiB, recheck: 3s }   # how long L1 trusts itself
        notifications: { webhook: '${ALERT_WEBHOOK}', quiet: 20m, failures: 4, staleLimit: 2h }
        fields:
          agents:
            key: agents_list
            ttl: 6h
            staleWhileRevalidate: 1h
            staleIfError: 24h
            staleIfErrorThrottle: 40s
            negativeTTL: 30s
            errorBackoff: 2s
            jitter: 5%
            softDeadline: 2s
            backgroundCompletion: true
            hardDeadline: 50s
            minRefreshInterval: 6s
            settle: 30s
            refreshEvery: 15m
            idleAfter: 12h
            httpMaxAge: 10s
            route: /api/airtable/agents
            source:
              airtable: { base: ${AIRTABLE_RRHH_BASE_ID}, table: ${AIRTABLE_RRHH_PEOPLE_TABLE_ID}, view: Agentes de venta }
            where: { Nombre: { notIn: ["", "N/A"], trim: true } }
            select: { id: id, name: { from: Nombre, default: Unnamed Agent } }
            sort: [name]
            locale: es
          rates:
            key: rates
            ttl: 10m
            source: { http: { url: https://example.com/rates.json, headers: {} } }
          offices: { key: offices, ttl: 1h, source: { file: { path: offices.json } } }
        """

    static let environment = Environment([
        "AIRTABLE_RRHH_BASE_ID": "appABC", "AIRTABLE_RRHH_PEOPLE_TABLE_ID": "tblABC", "AIRTABLE_TOKEN": "pat.secret",
        "READ_TOKEN": "s3cret-read", "ALERT_WEBHOOK": "https://hooks.example/s3cret",
    ])

    static func problems(
        _ yaml: String,
        _ environment: [String: String] = [:],
        overrides: Configuration.Overrides = Configuration.Overrides()
    ) -> [String] {
        do {
            _ = try Configuration.parse(
                yaml,
                file: "freshet.yaml",
                environment: Environment(environment),
                overrides: overrides
            )
            return []
        } catch {
            return (error as? ConfigurationError)?.problems.map(\.description) ?? ["\(error)"]
        }
    }

    @Test("every setting of the reference is read")
    func reference() throws {
        let configuration = try Configuration.parse(
            Self.whole,
            file: "/etc/freshet.yaml",
            environment: Self.environment
        )
        #expect(configuration.store == StoreLocation(url: "redis://127.0.0.1:6379", origin: .file))
        #expect(configuration.storeTimeout == .milliseconds(400))
        #expect(configuration.server.host == "127.0.0.2")
        #expect(configuration.server.port == 8081)
        #expect(configuration.server.readToken == "s3cret-read")
        #expect(configuration.server.cors == ["https://app.example"])
        #expect(configuration.l1.maxBytes == 48 << 20)
        #expect(configuration.l1.recheck == .seconds(3))
        var notifications = NotificationSettings(webhook: "https://hooks.example/s3cret")
        notifications.quiet = .seconds(20 * 60)
        notifications.failures = 4
        notifications.staleLimit = .seconds(2 * 3600)
        #expect(configuration.notifications == notifications)
        #expect(configuration.fields.map(\.name) == ["agents", "rates", "offices"])
        let agents = configuration.fields[0]
        #expect(agents.key == "agents_list")
        var policy = FieldPolicy(ttl: .seconds(6 * 3600))
        policy.staleWhileRevalidate = .seconds(3600)
        policy.staleIfError = .seconds(24 * 3600)
        policy.staleIfErrorThrottle = .seconds(40)
        policy.negativeTTL = .seconds(30)
        policy.errorBackoff = .seconds(2)
        policy.jitter = 0.05
        policy.softDeadline = .seconds(2)
        policy.backgroundCompletion = true
        policy.hardDeadline = .seconds(50)
        policy.minRefreshInterval = .seconds(6)
        policy.settle = .seconds(30)
        policy.refreshEvery = .every(.seconds(15 * 60))
        policy.idleAfter = .seconds(12 * 3600)
        policy.httpMaxAge = .seconds(10)
        #expect(agents.policy == policy)
        #expect(agents.route == "/api/airtable/agents")
        #expect(agents.source == .airtable(base: "appABC", table: "tblABC", view: "Agentes de venta"))
        let transform = try RecordTransform(
            where: ["Nombre": Condition(notIn: ["", "N/A"], trim: true)],
            select: ["id": Selection(from: "id"), "name": Selection(from: "Nombre", default: "Unnamed Agent")],
            sort: [SortKey("name")],
            locale: "es"
        )
        #expect(agents.transform == transform)
        #expect(configuration.fields[1].source == .http(url: "https://example.com/rates.json", headers: [:]))
        #expect(configuration.fields[1].transform == nil)
        #expect(configuration.fields[2].source == .file(path: "/etc/offices.json"))
    }

    @Test("no secret is printed of a configuration and its parts")
    func printedSecrets() {
        let store = "redis://app:s3cret@h"
        let source = SourceSettings.http(url: "https://h/s3cret?s3cret", headers: ["Authorization": "Bearer s3cret"])
        var configuration = Configuration(store: StoreLocation(url: store, origin: .flag))
        configuration.server.adminToken = "s3cret"
        configuration.server.readToken = "s3cret"
        configuration.notifications = NotificationSettings(webhook: "https://h/s3cret")
        configuration.airtable.token = "s3cret"
        configuration.airtable.endpoint = "https://app:s3cret@h"
        configuration.fields = [
            FieldSettings(name: "a", key: "a", policy: FieldPolicy(ttl: .seconds(1)), source: source)
        ]
        let values: [Any] = [
            configuration, configuration.store, configuration.server, configuration.airtable, source,
            AccessPolicy(adminToken: "s3cret", readToken: "s3cret"), Configuration.Overrides(store: store),
            Environment(["FRESHET_ADMIN_TOKEN": "s3cret"]),
        ]
        for value in values { #expect(!printed(value).contains("s3cret"), "\(type(of: value))") }
        #expect("\(source)" == "http: h")
    }

    @Test("everything that is wrong is reported at once, in the order of the file")
    func together() {
        let yaml = """
            store: redis://localhost:99999
            storeTimeout: soon
            sever: { port: 1 }
            server:
              port: 70000
            fields:
              a:
                key: same
                ttl: 0s
                source: { file: { path: a.json } }
              b:
                key: same
                ttl: 1h
                staleIfEror: 1h
                source: { http: { url: ${NOT_SET_URL} } }
              c d: { ttl: 1m, source: { file: { path: x } } }
              e: { ttl: 1m }
            """
        let problems = Self.problems(yaml, ["NOT_SET_URLS": "x"])
        #expect(
            problems.map { $0.prefix { $0 != " " } } == [
                "freshet.yaml:1:8:", "freshet.yaml:2:15:", "freshet.yaml:3:1:", "freshet.yaml:5:9:",
                "freshet.yaml:9:10:",
                "freshet.yaml:12:10:", "freshet.yaml:14:5:", "freshet.yaml:15:28:", "freshet.yaml:16:3:",
                "freshet.yaml:17:6:",
            ]
        )
        let text = problems.joined(separator: "\n")
        #expect(text.contains("there is no setting 'sever' here – did you mean 'server'?"))
        #expect(text.contains("did you mean 'staleIfError'?"))
        #expect(text.contains("fields 'a' and 'b' both keep something under the key 'same'"))
        #expect(text.contains("NOT_SET_URL is not set – set it; did you mean NOT_SET_URLS?"))
        #expect(text.contains("'70000' is no value for port"))
    }

    private static func scheduled(_ settings: String) throws -> Configuration {
        try Configuration.parse(
            "fields: { a: { ttl: 10m, source: { file: { path: x } }, \(settings) } }",
            file: "freshet.yaml",
            environment: Environment([:])
        )
    }

    @Test("a schedule is a time or a cron expression")
    func schedule() throws {
        let policies = try ["refreshEvery: 5m", "refreshEvery: '*/5 * * * *', idleAfter: 0", "refreshEvery: '@hourly'"]
            .map { try #require(try Self.scheduled($0).fields.first).policy }
        let crons = try ["*/5 * * * *", "@hourly"].map { try RefreshSchedule.cron($0) }
        #expect(policies.map(\.refreshEvery) == [.every(.seconds(300))] + crons)
        #expect(policies.map(\.idleAfter) == [.seconds(86_400), .zero, .seconds(86_400)])
    }

    @Test(
        "a schedule that cannot be is an error with its place",
        arguments: [
            ("refreshEvery: 15", "'15' is no time for refreshEvery"),
            ("refreshEvery: 0", "refreshEvery is 0"),
            ("refreshEvery: '61 * * * *'", "minute of a cron expression: '61' is not between 0 and 59"),
            ("refreshEvery: '* * * *'", "it has 4 fields"),
            ("refreshEvery: '0 0 30 2 *'", "never comes"),
            ("refreshEvery: '@often'", "is no cron expression"),
            ("idleAfter: 1w", "'1w' is no time for idleAfter"),
            ("idleAfter: 500ms", "idleAfter is 500ms – make it 1s at least"),
            ("idleAfter: 36601d", "idleAfter is 36601d – make it at most 36600d"),
        ]
    )
    func badSchedule(setting: String, problem: String) {
        let problems = Self.problems("fields: { a: { ttl: 1m, source: { file: { path: x } }, \(setting) } }")
        #expect(problems.count == 1)
        #expect(problems.first?.hasPrefix("freshet.yaml:1:") == true)
        #expect(problems.first?.contains(problem) == true)
    }

    @Test("a ttl that ends before the next refresh is warned about")
    func shortTTL() throws {
        #expect(try Self.scheduled("refreshEvery: 9m").warnings.isEmpty)
        #expect(try Self.scheduled("refreshEvery: 10m").warnings.first?.message.contains("stale between") == true)
    }

    @Test("notifications need a webhook that is a URL, and their limits are limits")
    func notifications() {
        let problems = Self.problems(
            """
            notifications: { quiet: 0s }
            fields: {}
            """
        )
        #expect(problems.count == 2)
        #expect(problems.first?.hasPrefix("freshet.yaml:1:16: there is no webhook to notify") == true)
        let wrong = Self.problems(
            "notifications: { webhook: \"ftp://x/s3cret\", quiet: 0s, failures: 0, staleLimit: x, quite: 1s }\nfields: {}"
        )
        #expect(wrong.count == 5)
        #expect(!wrong.joined().contains("s3cret"))
        #expect(wrong.contains { $0.contains("did you mean 'quiet'?") })
    }

    @Test("a soft deadline that is no shorter than the hard one is found", arguments: ["60s", "2m"])
    func deadlines(soft: String) {
        func yaml(_ soft: String, _ more: String = "") -> String {
            """
            fields:
              a: { ttl: 1m, source: { file: { path: x } }, softDeadline: \(soft)\(more) }
            """
        }
        let problems = Self.problems(yaml(soft))
        #expect(problems.count == 1)
        #expect(problems.first?.hasPrefix("freshet.yaml:2:62: softDeadline is ") == true, "\(problems)")
        #expect(Self.problems(yaml(soft, ", hardDeadline: 3m")).isEmpty)
        #expect(Self.problems(yaml("59s")).isEmpty)
    }

    @Test(
        "a name given twice is found wherever it is, and the rest is read all the same",
        arguments: ["\n", "\r\n", "\r"]
    )
    func duplicates(lineEnd: String) {
        let yaml = """
            fields:
              a: { ttl: 1m, source: { file: { path: x } } }
              b: { ttl: 1m, source: { file: { path: x } } }
              "a": { ttl: 1m, source: { file: { path: x } } }
              b: { ttl: 1m, source: { file: { path: x } } }
            server:
              port: nine
              port: 8080
            """
        let problems = Self.problems(yaml.split(separator: "\n").joined(separator: lineEnd))
        #expect(
            problems.map { String($0.prefix(while: { $0 != "–" })) } == [
                "freshet.yaml:4:3: 'a' is given twice ", "freshet.yaml:5:3: 'b' is given twice ",
                "freshet.yaml:7:9: 'nine' is no value for port ", "freshet.yaml:8:3: 'port' is given twice ",
            ]
        )
    }

    @Test("companions count among the keys")
    func companions() {
        let yaml = """
            fields:
              a: { key: agents, ttl: 1m, source: { file: { path: x } } }
              b: { key: "{agents}:meta", ttl: 1m, source: { file: { path: x } } }
              c: { key: "a{b", ttl: 1m, source: { file: { path: x } } }
            """
        let problems = Self.problems(yaml)
        #expect(problems.count == 2)
        #expect(problems.first?.contains("'{agents}:meta'") == true)
        #expect(problems.last?.contains("braces") == true)
    }

    @Test("routes are plain paths that nothing else has")
    func routes() {
        let yaml = """
            fields:
              a: { ttl: 1m, route: /x, source: { file: { path: x } } }
              b: { ttl: 1m, route: /x, source: { file: { path: x } } }
              c: { ttl: 1m, route: x/:id, source: { file: { path: x } } }
              d: { ttl: 1m, route: /api/fields/a, source: { file: { path: x } } }
              e: { ttl: 1m, route: "/x\\x01", source: { file: { path: x } } }
            """
        let problems = Self.problems(yaml)
        #expect(problems.map { $0.prefix(15) } == (3...6).map { "freshet.yaml:\($0):" })
    }

    @Test("what is no YAML is one problem with its place")
    func syntax() {
        let problems = Self.problems("fields:\n  a: [1, 2\nb: 3")
        #expect(problems.count == 1)
        #expect(problems.first?.contains("no valid YAML") == true)
        #expect(problems.first?.hasPrefix("freshet.yaml:3") == true)
    }

    @Test("what YAML does not take for a character is found where it is")
    func control() {
        let problems = Self.problems("# ñ\nfields:\n  é${X}: \"a\u{1}b\"\n# more")
        let problem = "freshet.yaml:3:12: no valid YAML: control characters"
        #expect(problems.first?.hasPrefix(problem) == true, "\(problems)")
    }

    @Test("a problem has one line, whatever was written")
    func lines() {
        let yaml = """
            fields:
              a: { ttl: "1h\\nf.yaml:1:1: x – y", source: { file: { path: x } } }
              "b\\r\\nc": { ttl: 1h, source: { file: { path: x } } }
              d:
                ttl: |
                  soon
                source: { file: { path: x } }
            """
        let problems = Self.problems(yaml)
        #expect(
            problems.map { $0.prefix(28) } == [
                "freshet.yaml:2:13: '1h f.yam", "freshet.yaml:3:3: 'b  c' can", "freshet.yaml:5:10: 'soon ' i",
            ]
        )
    }

    @Test("variables are replaced in values only, and $$ escapes them")
    func variables() throws {
        let yaml = """
            fields:
              a:
                ttl: ${TTL}
                source: { http: { url: https://h/${PATH_PART}?x=$1, headers: { X: $${TTL}, Y: "a: #${TTL}" } } }
              ${TTL}: { ttl: 1m, source: { file: { path: x } } }
            """
        let variables = ["TTL": "5m", "PATH_PART": "%7B"]
        #expect(Self.problems(yaml, variables).map { $0.contains("'${TTL}' cannot be the name of a field") } == [true])
        let valid = yaml.split(separator: "\n").dropLast().joined(separator: "\n")
        let configuration = try Configuration.parse(
            valid,
            file: "f",
            environment: Environment(["TTL": " '5m' ", "PATH_PART": "%7B"])
        )
        #expect(configuration.fields[0].policy.ttl == .seconds(300))
        let headers = ["X": "${TTL}", "Y": "a: #5m"]
        #expect(configuration.fields[0].source == .http(url: "https://h/%7B?x=$1", headers: headers))
    }

    @Test(
        "a ${ that begins no variable is a problem that shows nothing of what follows",
        arguments: [
            "${READ-TOKEN}", "${1X}", "${}", "${API_KEY", "a ${ TOKEN }", "$$${s3cret} ${s3cret.x}", "${TOKEN:-s3cret}",
        ]
    )
    func malformed(value: String) {
        let problems = Self.problems("server: { readToken: \"\(value)\" }", ["TOKEN": "t"])
        #expect(problems.count == 1)
        let message = value.contains(":-") ? "a default behind ${TOKEN," : "a ${ that begins no ${NAME}"
        #expect(problems.first?.hasPrefix("freshet.yaml:1:22: 'readToken' has \(message)") == true, "\(problems)")
        #expect(problems.first?.contains("s3cret") == false)
    }

    @Test("a default in a mapping with braces is told as such, and as no fault of the YAML")
    func defaultInBraces() {
        let problems = Self.problems("server: { readToken: ${TOKEN:-s3cret}, port: 1 }")
        #expect(problems.count == 1)
        #expect(problems.first?.hasPrefix("freshet.yaml:1:22: 'readToken' has a default behind ${TOKEN,") == true)
    }

    @Test("a variable that is empty, or a token that cannot be sent, is a problem that shows no secret")
    func unsendable() {
        let empty = Self.problems("server: { readToken: \"${EMPTY}\" }", ["EMPTY": " "])
        #expect(empty == ["freshet.yaml:1:22: the environment variable EMPTY is empty – give it a value"])
        let read = Self.problems("server: { readToken: \"${TOKEN}\" }", ["TOKEN": "päss"])
        let admin = Self.problems("fields: {}", ["FRESHET_ADMIN_TOKEN": "pa ss"])
        for (problems, place) in [(read, "freshet.yaml:1:22"), (admin, "FRESHET_ADMIN_TOKEN")] {
            #expect(problems.count == 1)
            #expect(problems.first?.hasPrefix(place) == true, "\(problems)")
            #expect(problems.first?.contains("use visible ASCII characters") == true)
            #expect(problems.first?.contains("ss ") == false)
        }
    }

    @Test("$${ is the text ${, whatever follows")
    func escaped() throws {
        let configuration = try Configuration.parse(
            """
            fields:
              a: { ttl: 1m, source: { http: { url: https://h, headers: { X: "$${A-B} $${X} $${Y:-z} $$$${Z $ {} $x" } } } }
            """,
            file: "f",
            environment: Environment([:])
        )
        let headers = ["X": "${A-B} ${X} ${Y:-z} $$${Z $ {} $x"]
        #expect(configuration.fields.first?.source == .http(url: "https://h", headers: headers))
    }

    @Test("a section with nothing under it is as if it were not there")
    func emptySections() throws {
        let yaml = """
            server:
            l1: ~
            notifications: null
            fields:
              a:
                ttl: 1m
                source: { http: { url: https://h, headers: } }
                where:
                select:
                sort:
            """
        let configuration = try Configuration.parse(yaml, file: "f", environment: Environment([:]))
        #expect(configuration.server == ServerSettings())
        #expect(configuration.l1 == L1Settings())
        #expect(configuration.fields.map { $0.transform } == [nil])
        #expect(Self.problems("server: { cors: }\nfields:").isEmpty)
    }

    @Test(
        "a host that cannot be one is found, wherever it comes from",
        arguments: [
            ("127.0.0.1", true), ("::1", true), ("[::1]", true), ("fe80::1%eth0", true), ("0.0.0.0", true),
            ("db-1.my_net.internal", true), ("a b", false), ("http://a", false), ("127.0.0.1:8080", false),
            ("a,b", false), ("café", false), ("a\tb", false), ("[]", false),
        ]
    )
    func host(text: String, isHost: Bool) {
        let shown = text.printable()
        let ofFile = Self.problems("server:\n  host: \"\(text)\"")
        #expect(ofFile.map { $0.hasPrefix("freshet.yaml:2:9: '\(shown)' is no host") } == (isHost ? [] : [true]))
        let ofFlag = Self.problems("", overrides: .init(host: text))
        #expect(ofFlag.map { $0.hasPrefix("--host: '\(shown)' is no host") } == (isHost ? [] : [true]))
        let ofVariable = Self.problems("", ["FRESHET_HOST": text])
        #expect(ofVariable.map { $0.hasPrefix("FRESHET_HOST: '\(shown)' is no host") } == (isHost ? [] : [true]))
    }

    @Test(
        "a key that is given twice, in whatever form, hides no other problem",
        arguments: [
            ("server: { host: a, host: b }", "1:20"),
            ("server: { \"host\": 'a,b', # host: x\n  host: [b, {host: c}] }", "2:3"),
            ("server: { host: it's, cors: [\"host: x\", 'o''k'], \"host\" : b }", "1:50"),
            ("{ l1: {}, server: { host: x }, server: {} }", "1:32"),
            ("server:\n  host: a\n  port: 1\n  host: b", "4:3"),
        ]
    )
    func duplicates(yaml: String, place: String) {
        let rest = yaml.hasPrefix("{") ? "" : "\nfields: { a: { source: { file: { path: x } } } }"
        let problems = Self.problems(yaml + rest).joined(separator: "\n")
        #expect(problems.contains("freshet.yaml:\(place): '"), "\(problems)")
        #expect(problems.contains("is given twice – keep one"), "\(problems)")
        #expect(rest.isEmpty || problems.contains("field 'a' has no ttl"), "\(problems)")
    }

    @Test("what a field cannot be without hides no other problem of it where it is wrong")
    func mistakesBesideEachOther() {
        let policy = "softDeadline: 70s, refreshEvery: \"99 * * * *\""
        let sources = "{ http: { url: nowhere }, file: {} }"
        let problems = Self.problems("fields: { a: { ttl: 0s, \(policy), source: \(sources) } }")
        #expect(problems.count == 6, "\(problems)")
        for part in ["ttl", "softDeadline is 1m10s", "99", "has one source", "needs a URL", "has no path"] {
            #expect(problems.contains { $0.contains(part) }, "\(part): \(problems)")
        }
    }

    @Test("of keys that are given twice, so many are found that a long file need not be read too often")
    func manyDuplicates() {
        let fields = (0..<80).map { "  f\($0):\n    ttl: 1m\n    ttl: 2m\n" }
        let problems = Self.problems("fields:\n\(fields.joined())")
        #expect(problems.count == 65)
        #expect(problems.last?.hasPrefix("freshet.yaml:195:5: 'ttl' is given twice here – ") == true, "\(problems)")
    }

    @Test("many problems do not take long", .timeLimit(.minutes(1)))
    func manyProblems() {
        let scope = ReadingScope(file: "freshet.yaml", environment: Environment([:]))
        for _ in 0..<2 {
            for line in 1...25_000 { scope.report(Place(line: line, column: 1), "there is no such setting", "none") }
        }
        #expect(scope.problems.count == 25_000)
    }

    @Test("where the second of two keys is not found, it is said that reading stopped")
    func hiddenDuplicate() {
        let problems = Self.problems("server: { \"host\": a, \"h\\u006fst\": b }\nsever: 1")
        #expect(problems.count == 1)
        #expect(problems.first?.contains("'host' is given twice here – keep one of them; nothing else") == true)
    }

    @Test("two keys of one text are one, whatever YAML takes them for")
    func duplicatesOfTwoTypes() {
        let yaml = """
            fields:
              "2024": { ttl: 1m, source: { file: { path: x } } }
              2024: { ttl: 1m, source: { file: { path: x } } }
              a:
                ttl: 1m
                source: { http: { url: http://localhost/x, headers: { "on": x, on: y } } }
                where: { 1: { exists: true }, "1": { exists: false } }
            """
        let starts = Self.problems(yaml).map { String($0.prefix { $0 != "–" }) }
        #expect(
            starts == [
                "freshet.yaml:3:3: '2024' is given twice ", "freshet.yaml:6:68: 'on' is given twice ",
                "freshet.yaml:7:35: '1' is given twice ",
            ]
        )
    }

    @Test("aliases that stand for too much, or too deep values, are a problem and take no time")
    func aliases() {
        var bomb = "x0: &a0 x\n"
        var chain = bomb
        for level in 1...10 {
            let references = Array(repeating: "*a\(level - 1)", count: 9).joined(separator: ", ")
            bomb += "x\(level): &a\(level) [\(references)]\n"
        }
        for level in 1...200 { chain += "x\(level): &a\(level) [*a\(level - 1)]\n" }
        let long = "x: &x \(String(repeating: "x", count: 50_000))\ny: ["
        for yaml in [bomb, chain, long + Array(repeating: "*x", count: 100).joined(separator: ", ") + "]"] {
            let problems = Self.problems(yaml)
            #expect(problems.count == 1)
            #expect(problems.first?.contains("write fewer aliases") == true)
        }
        let deep = "x: 1\ny: \(String(repeating: "[", count: 200))\(String(repeating: "]", count: 200))"
        for (yaml, place) in [(bomb, "7:45"), (chain, "101:14"), (deep, "2:104")] {
            let problems = Self.problems(yaml)
            #expect(problems.first?.hasPrefix("freshet.yaml:\(place): the file has too") == true, "\(problems)")
        }
        let many = Array(repeating: "1", count: 101_000).joined(separator: ",")
        #expect(!Self.problems("x: [\(many)]").joined().contains("aliases"))
        // The last level is above the limit, and would be hashed as a key.
        let key = bomb.split(separator: "\n").dropLast(6).joined(separator: "\n") + "\nfields:\n  ? *a4\n  : 1"
        #expect(Self.problems(key).first?.contains("the alias *a4 cannot be a key – write the key itself") == true)
    }

    @Test("an alias is followed, and a star elsewhere is a star")
    func stars() throws {
        let problems = Self.problems("fields: { a: *x, b: &x { ttl: 1s } }")
        let problem = "freshet.yaml:1:14: *x stands for nothing: no value before it has the anchor &x"
        #expect(problems == [problem + " – put a text that begins with * in quotes"])
        let configuration = try Configuration.parse(
            """
            fields:
              a:
                ttl: 1h
                key: 'a * b'
                refreshEvery: "*/15 * * * *"
                source: { file: { path: a*.json } }
                where: &texts { A: { notIn: ['*', "**"] } }
              b: { ttl: 1h, source: { file: { path: b } }, where: *texts }
            """,
            file: "/etc/freshet.yaml",
            environment: Environment([:])
        )
        let fields = configuration.fields
        #expect(fields.map(\.key) == ["a * b", "b"])
        #expect(fields[0].transform != nil)
        #expect(fields[0].transform == fields[1].transform)
        #expect(fields[0].transform == (try RecordTransform(where: ["A": Condition(notIn: ["*", "**"])])))
        #expect(fields[0].source == .file(path: "/etc/a*.json"))
    }

    @Test("a file that cannot be read says why")
    func unreadable() throws {
        func problem(_ file: String) -> String {
            do {
                _ = try Configuration.load(file: file, environment: Environment([:]))
                return ""
            } catch {
                return "\(error)"
            }
        }
        let folder = try Folder()
        let path = folder.url.appendingPathComponent("freshet.yaml").path
        #expect(problem(path).contains(": there is no such file – "))
        #expect(problem(folder.url.path).contains(": this is a folder – "))
        // The text itself may have the character that stands for what is none.
        try (Data("a: 1\r\nñ: \u{FFFD}".utf8) + [0xEF, 0xBF]).write(to: URL(fileURLWithPath: path))
        #expect(problem(path).contains("freshet.yaml:2:5: the file is no text in UTF-8 – "))
        if getuid() != 0 {
            try FileManager.default.setAttributes([.posixPermissions: 0], ofItemAtPath: path)
            #expect(problem(path).contains(": this user may not read the file – "))
        }
        try Data(repeating: 0x20, count: 16 << 20 + 1).write(to: URL(fileURLWithPath: path))
        #expect(problem(path).contains("more than 16 MiB"))
    }

    @Test("a pipe is read to its end, and a byte order mark is no part of the text")
    func pipe() throws {
        let folder = try Folder()
        let path = folder.url.appendingPathComponent("pipe").path
        try #require(mkfifo(path, 0o600) == 0)
        let comment = String(repeating: "# x\n", count: 50_000)
        // A thread of its own: opening either end waits for the other one.
        Thread.detachNewThread {
            let writer = FileHandle(forWritingAtPath: path)
            try? writer?.write(contentsOf: Data("\u{FEFF}storeTimeout: 400ms\n\(comment)".utf8))
        }
        let configuration = try Configuration.load(file: path, environment: Environment([:]))
        #expect(configuration.storeTimeout == .milliseconds(400))
    }

    @Test("a problem shows the variable, not its value")
    func unshown() {
        let yaml = """
            server: { port: '${S}', cors: '${S}' }
            l1: { maxBytes: '${S}', recheck: '${S}' }
            fields:
              a:
                ttl: 1m
                jitter: ${S}
                backgroundCompletion: ${S}
                refreshEvery: '${S} *'
                route: ${S}
                source: { file: { path: x } }
              b: { ttl: 1m, source: { file: { path: x } }, key: '${S}', select: { x: y }, sort: '${S}', locale: '${S}' }
              c: { ttl: 1m, source: { file: { path: x } }, key: '${S}' }
              d: { ttl: 1m, source: { file: { path: x } }, key: '{}${S}' }
            """
        let problems = Self.problems(yaml, ["S": "s3cret"])
        #expect(problems.count == 12)
        #expect(problems.allSatisfy { $0.contains("${S}") }, "\(problems)")
        #expect(!problems.joined().contains("s3cret"))
    }

    @Test("the URL of a source and each of its headers is wrong in its own place")
    func httpSource() {
        let problems = Self.problems(
            """
            fields:
              a:
                ttl: 1m
                source:
                  http:
                    url: ftp://h
                    headers:
                      X-Right: y
                      X Wrong: y
                      X-Odd: "a\\u0001b"
            """
        )
        #expect(
            problems.map { $0.prefix { $0 != " " } } == [
                "freshet.yaml:6:14:", "freshet.yaml:9:11:", "freshet.yaml:10:11:",
            ]
        )
    }

    @Test(
        "a port that there is not is a problem, beside an address too",
        arguments: ["http://127.0.0.1:99999/s3cret", "https://[::1]:70000/s3cret", "http://h:0/s3cret"]
    )
    func ports(url: String) {
        let yaml = """
            notifications: { webhook: '\(url)' }
            fields: { a: { ttl: 1m, source: { http: { url: '\(url)' } } } }
            """
        let endpoint = String(url.dropLast(7))
        let problems = Self.problems(yaml, ["AIRTABLE_TOKEN": "t", "AIRTABLE_ENDPOINT": endpoint])
        #expect(problems.count == 3)
        #expect(problems.first?.hasPrefix("freshet.yaml:1:27: the webhook is no URL") == true, "\(problems)")
        #expect(!problems.joined().contains("s3cret"))
    }

    @Test("a webhook with a password, which would not be sent, is a problem that does not show it")
    func webhookPassword() {
        let problems = Self.problems("notifications: { webhook: 'http://user:s3cret@h/hook' }\nfields: {}")
        #expect(problems.count == 1)
        #expect(!problems.joined().contains("s3cret"))
    }

    @Test("a webhook that is far away and not encrypted is warned of")
    func exposedWebhook() throws {
        func warnings(_ url: String) throws -> [String] {
            let yaml = "notifications: { webhook: '\(url)' }\nfields: {}"
            return try Configuration.parse(yaml, file: "freshet.yaml", environment: Environment([:]))
                .warnings.map(\.description).filter { $0.contains("in plain text") }
        }
        let found = try warnings("http://hooks.example/s3cret")
        #expect(found.count == 1)
        #expect(!found.joined().contains("s3cret"))
        for url in ["https://hooks.example/s3cret", "http://chat:8080/s3cret"] { #expect(try warnings(url).isEmpty) }
    }

    @Test("an Airtable token does not go far without encryption")
    func exposedToken() {
        func problems(_ endpoint: String) -> [String] {
            Self.problems("fields: {}", ["AIRTABLE_TOKEN": "t", "AIRTABLE_ENDPOINT": endpoint])
        }
        #expect(problems("http://airtable.example").map { $0.contains("in plain text") } == [true])
        for endpoint in ["https://airtable.example", "http://stand-in:8080", "http://10.0.0.1"] {
            #expect(problems(endpoint).isEmpty)
        }
    }

    @Test("secret headers that go far without encryption are warned of")
    func exposedHeaders() throws {
        func warnings(_ url: String) throws -> [String] {
            try Configuration.parse(
                """
                fields:
                  a:
                    ttl: 1m
                    source: { http: { url: '\(url)', headers: { X: '${KEY}', Accept: '*/*', authorization: 'Basic s3cret' } } }
                """,
                file: "freshet.yaml",
                environment: Environment(["KEY": "s3cret"])
            )
            .warnings.map(\.description)
        }
        let found = try warnings("http://api.example/v1")
        #expect(found.map { $0.contains("in plain text") } == [true, true])
        #expect(!found.joined().contains("s3cret"))
        for url in ["https://api.example", "http://api:8080", "http://192.168.0.9"] {
            #expect(try warnings(url).isEmpty)
        }
    }

    @Test("origins are written as browsers write them, which they are compared with")
    func origins() throws {
        func problems(_ origin: String) -> [String] { Self.problems("server: { cors: ['\(origin)'] }\nfields: { }") }
        for origin in [
            "*", "https://a.example", "http://localhost:3000", "https://127.0.0.1:8443", "http://[::1]:3000",
        ] {
            #expect(problems(origin).isEmpty, "\(origin)")
        }
        for origin in [
            "https://a.example/path", "https://a.example/", "https://", "https://A.example", "HTTPS://a.example",
            "https://a.example:443", "http://a.example:80", "https://a.example?", "https://u@a.example", "a.example",
            "https://a.example:99999", "https://*.example", "https://münchen.example", "ftp://a.example",
        ] {
            #expect(problems(origin).count == 1, "\(origin)")
        }
    }

    @Test("YAML's words for true, false and null are taken in capitals, too")
    func capitals() throws {
        let configuration = try Configuration.parse(
            """
            fields:
              a:
                ttl: 1m
                backgroundCompletion: True
                source: { file: { path: x } }
                where: { a: { in: [True, FALSE, 'True', tRue] } }
                select: { a: { from: a, default: Null }, b: { from: b, default: NULL }, c: { from: c, default: 'Null' } }
            """,
            file: "freshet.yaml",
            environment: Environment([:])
        )
        let field = try #require(configuration.fields.first)
        #expect(field.policy.backgroundCompletion)
        let transform = try RecordTransform(
            where: ["a": Condition(in: [true, false, "True", "tRue"])],
            select: [
                "a": Selection(from: "a", default: .null), "b": Selection(from: "b", default: .null),
                "c": Selection(from: "c", default: "Null"),
            ]
        )
        #expect(field.transform == transform)
    }

    @Test("a token for reads that may change everything is warned about, and not shown")
    func sameTokens() throws {
        func warnings(_ adminToken: String) throws -> [String] {
            try Configuration.parse(
                "fields: { a: { ttl: 1m, source: { file: { path: x } } } }\nserver: { readToken: '${READ}' }",
                file: "freshet.yaml",
                environment: Environment(["READ": "sesame", "FRESHET_ADMIN_TOKEN": adminToken])
            ).warnings.map(\.description)
        }
        let same = try warnings("sesame")
        #expect(same.count == 1)
        #expect(same.first?.hasPrefix("freshet.yaml:2:22: the token for reads is the admin token") == true)
        #expect(same.first?.contains("sesame") == false)
        #expect(try warnings("another").isEmpty)
    }

    @Test("Airtable fields need a token")
    func token() {
        let problems = Self.problems("fields: { a: { ttl: 1m, source: { airtable: { base: appX, table: T } } } }")
        #expect(problems.count == 1)
        #expect(problems.first?.contains("AIRTABLE_TOKEN is not set") == true)
    }

    @Test("what has dots in its name is called by all of it")
    func dottedNames() {
        let problems = Self.problems("fields: { v1.2: { ttl: 1m, source: { file: { path: x } }, no: 1 }, w.3: 5 }")
        #expect(problems.map { $0.contains("under 'v1.2'") || $0.contains("'w.3' is a single value") } == [true, true])
    }

    @Test("a value of a secret is never repeated")
    func secrets() {
        let problems = Self.problems(
            "store: ${STORE}\nfields: {}",
            ["STORE": "redis://user:hunter2@:6379", "FRESHET_PORT": "80"]
        )
        #expect(problems.count == 1)
        #expect(!problems.joined().contains("hunter2"))
        #expect(!"\(StoreLocation(url: "redis://u:hunter2@h:1/0?x=hunter2", origin: .flag))".contains("hunter2"))
    }
}

@Suite("Store location")
struct StoreLocationTests {
    static let all = [
        "FRESHET_STORE": "redis://env", "UPSTASH_REDIS_REST_URL": "https://u", "KV_REST_API_URL": "https://k",
        "REDIS_URL": "redis://last",
    ]

    @Test("flag, FRESHET_STORE, file, Upstash, Vercel, REDIS_URL, memory: the first that is set")
    func order() {
        var environment = Self.all
        func resolve(flag: String? = nil, file: String? = nil) -> StoreLocation {
            StoreLocation.resolve(flag: flag, file: file, environment: Environment(environment))
        }
        #expect(resolve(flag: "memory://", file: "redis://file").origin == .flag)
        #expect(resolve(file: "redis://file").url == "redis://env")
        environment["FRESHET_STORE"] = " "
        #expect(resolve(file: "redis://file").url == "redis://file")
        #expect(resolve().origin == .environment("UPSTASH_REDIS_REST_URL"))
        environment["UPSTASH_REDIS_REST_URL"] = nil
        #expect(resolve().origin == .environment("KV_REST_API_URL"))
        environment["KV_REST_API_URL"] = nil
        #expect(resolve().url == "redis://last")
        environment["UPSTASH_REDIS_REST_TOKEN"] = "of another"
        #expect(resolve().url == "redis://last")
        (environment["REDIS_URL"], environment["UPSTASH_REDIS_REST_TOKEN"]) = (nil, nil)
        #expect(resolve() == .memory)
        #expect(resolve().isFallback)
    }

    @Test("upstash:// takes the pair from the environment, and shows no token")
    func upstash() throws {
        let environment = Environment([
            "KV_REST_API_URL": "\"https://k.upstash.io\"", "KV_REST_API_TOKEN": " sesame ",
        ])
        for flag in [nil, "upstash://"] {
            let location = StoreLocation.resolve(flag: flag, file: nil, environment: environment)
            #expect(location.problem() == nil)
            #expect(try location.upstash?.endpoint == "https://k.upstash.io")
            #expect("\(location)" == "upstash (https://k.upstash.io)")
            #expect(!printed(location).contains("sesame"))
        }
        let written = StoreLocation(url: "https://u.upstash.io?_token=sesame", origin: .flag)
        #expect(written.problem() == nil)
        #expect("\(written)" == "https://u.upstash.io")
        #expect(try StoreLocation(url: "redis://h", origin: .flag).upstash == nil)
    }

    @Test("what cannot be a REST pair is a problem that repeats no secret")
    func badUpstash() throws {
        let pairs: [([String: String], String)] = [
            (["UPSTASH_REDIS_REST_URL": "https://u"], "UPSTASH_REDIS_REST_TOKEN is not"),
            (["UPSTASH_REDIS_REST_TOKEN": "sesame"], "UPSTASH_REDIS_REST_URL is not"),
            (["KV_REST_API_TOKEN": "sesame"], "KV_REST_API_URL is not"),
            (["UPSTASH_REDIS_REST_URL": "rediss://default:sesame@u:6379", "UPSTASH_REDIS_REST_TOKEN": "t"], "for TCP"),
            (["UPSTASH_REDIS_REST_URL": "https://u", "UPSTASH_REDIS_REST_TOKEN": "default:sesame"], "user:password"),
        ]
        for (variables, words) in pairs {
            let location = StoreLocation.resolve(flag: nil, file: nil, environment: Environment(variables))
            let problem = try #require(location.problem())
            #expect(problem.message.contains(words))
            #expect(!problem.message.contains("sesame"))
        }
        for url in ["https://u", "https://u?token=sesame", "upstash://u", "upstash://"] {
            let problem = try #require(StoreLocation(url: url, origin: .flag).problem())
            #expect(!problem.message.contains("sesame"))
        }
    }

    @Test("Upstash over TCP is known by its name")
    func upstashOverTCP() throws {
        let configuration = try RedisClient.Configuration(url: "rediss://default:p@fly-x-1.upstash.io:6379")
        #expect(configuration.isUpstash && configuration.tls != nil)
        #expect(try RedisClient.Configuration(url: "rediss://fly-x-1.upstash.io.:6379").isUpstash)
        #expect(try !RedisClient.Configuration(url: "redis://upstash.io.example.com").isUpstash)
    }

    @Test(
        "a cluster and a primary under sentinels are stores",
        arguments: [
            "redis+cluster://h:1,i:2", "redis+clusters://u:p@h", "redis+sentinel://h:1,i:2/main",
            "redis+sentinels://h/main/3",
        ]
    )
    func topologies(url: String) {
        #expect(StoreLocation(url: url, origin: .flag).problem() == nil)
    }

    @Test(
        "what is no store is refused",
        arguments: [
            "", "localhost:6379", "mysql://h", "redis://", "redis+cluster://h/3", "redis+cluster://h?reads=replicas",
            "redis+sentinel://h:1",
        ]
    )
    func refused(url: String) {
        #expect(StoreLocation(url: url, origin: .flag).problem() != nil)
    }
}
