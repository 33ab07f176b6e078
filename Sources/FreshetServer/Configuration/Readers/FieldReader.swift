import Foundation
import Freshet
import FreshetSources

/// Reads one field of a configuration file.
struct FieldReader {
    let name: String
    let value: YAMLValue
    let scope: ReadingScope

    private static let keys = [
        "key", "ttl", "staleWhileRevalidate", "staleIfError", "staleIfErrorThrottle", "negativeTTL", "errorBackoff",
        "jitter", "softDeadline", "backgroundCompletion", "hardDeadline", "minRefreshInterval", "settle",
        "refreshEvery", "idleAfter",
        "httpMaxAge", "route", "source", "where", "select", "sort", "locale",
    ]

    /// - Returns: nil if something that it cannot be without is missing or wrong.
    func read() -> FieldSettings? {
        guard let mapping = value.mapping() else { return nil }
        mapping.allow(Self.keys)
        let key = mapping["key"].map { $0.word() } ?? name
        let policy = readPolicy(mapping)
        let source = readSource(mapping)
        let route = mapping["route"]?.word()
        let transform = TransformReader(mapping: mapping, scope: scope).read()
        guard let key, let policy, let source, let transform else { return nil }
        var settings = FieldSettings(
            name: name,
            key: key,
            policy: policy,
            route: route,
            source: source,
            transform: transform.isIdentity ? nil : transform,
            fingerprint: value.fingerprint
        )
        settings.sourcePlace = mapping.keyPlace("source")
        return settings
    }

    private func readPolicy(_ mapping: YAMLMapping) -> FieldPolicy? {
        let ttl = mapping["ttl"]?.duration(atLeast: .milliseconds(1))
        if mapping["ttl"] == nil {
            scope.report(value.place, "field '\(name)' has no ttl", "say how long a value is fresh: ttl: 15m")
        }
        var policy = FieldPolicy(ttl: ttl ?? .seconds(1))
        func read(_ key: String, into path: WritableKeyPath<FieldPolicy, Duration>, atLeast minimum: Duration = .zero) {
            if let time = mapping[key]?.duration(atLeast: minimum) { policy[keyPath: path] = time }
        }
        read("staleWhileRevalidate", into: \.staleWhileRevalidate)
        read("staleIfError", into: \.staleIfError)
        read("staleIfErrorThrottle", into: \.staleIfErrorThrottle)
        read("negativeTTL", into: \.negativeTTL)
        read("errorBackoff", into: \.errorBackoff)
        policy.jitter = mapping["jitter"]?.fraction() ?? policy.jitter
        policy.softDeadline = mapping["softDeadline"]?.duration(atLeast: .milliseconds(1))
        policy.backgroundCompletion = mapping["backgroundCompletion"]?.bool() ?? policy.backgroundCompletion
        read("hardDeadline", into: \.hardDeadline, atLeast: .milliseconds(1))
        if let soft = policy.softDeadline, soft >= policy.hardDeadline {
            mapping["softDeadline"]?.report(
                "softDeadline is \(soft.configurationText), and the load is cancelled no later than that",
                "make it shorter than hardDeadline, which is \(policy.hardDeadline.configurationText)"
            )
        }
        read("minRefreshInterval", into: \.minRefreshInterval)
        policy.settle = mapping["settle"]?.duration(atLeast: .milliseconds(1))
        policy.refreshEvery = mapping["refreshEvery"].flatMap { readSchedule($0, ttl: ttl) }
        read("idleAfter", into: \.idleAfter)
        if policy.idleAfter > .zero, policy.idleAfter < FieldPolicy.shortestIdle {
            mapping["idleAfter"]?.report(
                "idleAfter is \(policy.idleAfter.configurationText)",
                "make it 1s at least, or 0 for a refresh that never pauses"
            )
        }
        read("httpMaxAge", into: \.httpMaxAge)
        return ttl == nil ? nil : policy
    }

    /// A time, or a cron expression, which always has a blank or an `@`.
    private func readSchedule(_ value: YAMLValue, ttl: Duration?) -> RefreshSchedule? {
        guard let text = value.word() else { return nil }
        guard text.hasPrefix("@") || text.contains(where: \.isWhitespace) else {
            guard let interval = value.duration(atLeast: RefreshSchedule.shortestInterval) else { return nil }
            if let ttl, interval >= ttl {
                value.scope.warn(
                    value.place,
                    "readers find '\(name)' stale between two refreshes, since its ttl is no longer than refreshEvery",
                    "make the ttl longer than refreshEvery and the time a load takes"
                )
            }
            return .every(interval)
        }
        do {
            return try .cron(text)
        } catch {
            let message = value.isReplaced ? "'\(value.written)' is no cron expression" : error.message
            value.report(message, "write a time (15m) or minute, hour, day, month, weekday: \"30 6 * * mon-fri\"")
            return nil
        }
    }

    private func readSource(_ mapping: YAMLMapping) -> SourceSettings? {
        let kinds = ["airtable", "http", "file"]
        guard let source = mapping["source"] else {
            scope.report(
                value.place,
                "field '\(name)' has no source",
                "add source: with one of \(kinds.joined(separator: ", "))"
            )
            return nil
        }
        guard let members = source.mapping() else { return nil }
        members.allow(kinds)
        let known = members.all.filter { kinds.contains($0.key) }
        if known.count > 1 || members.all.isEmpty {
            source.report(
                "a field has one source, not \(known.count)",
                "keep one of \(kinds.joined(separator: ", "))"
            )
        }
        let sources = known.map(readSource)
        return sources.count == 1 ? sources[0] : nil
    }

    private func readSource(_ member: YAMLMapping.Member) -> SourceSettings? {
        guard let settings = member.value.mapping() else { return nil }
        return switch member.key {
        case "airtable": readAirtable(settings, member)
        case "http": readHTTP(settings, member)
        default: readFile(settings, member)
        }
    }

    private func readAirtable(_ settings: YAMLMapping, _ member: YAMLMapping.Member) -> SourceSettings? {
        settings.allow(["base", "table", "view"])
        let base = required("base", in: settings, of: member)
        let table = required("table", in: settings, of: member)
        let view = settings["view"]?.word()
        if scope.environment["AIRTABLE_TOKEN"] == nil {
            scope.report(
                member.keyPlace,
                "the environment variable AIRTABLE_TOKEN is not set",
                "set it to a personal access token that may read this base"
            )
        }
        guard let base, let table else { return nil }
        return .airtable(base: base, table: table, view: view)
    }

    private func readHTTP(_ settings: YAMLMapping, _ member: YAMLMapping.Member) -> SourceSettings? {
        settings.allow(["url", "headers"])
        let url = required("url", in: settings, of: member)
        if let url {
            check(settings["url"]?.place, advice: "write https://host/path") { try HTTPSource.check(url: url) }
        }
        var headers: [String: String] = [:]
        if let mapping = settings["headers"]?.section() {
            for header in mapping.all {
                guard let text = header.value.text() else { continue }
                headers[header.key] = text
                let isSecret = header.key.lowercased() == "authorization" || header.value.isReplaced
                if isSecret, let url, NearbyHost.isExposed(url) {
                    scope.warn(
                        header.keyPlace,
                        "the header \(header.key) crosses the network in plain text",
                        "write https:// for a host that is far away"
                    )
                }
                check(header.keyPlace, advice: "write headers as `Name: value`") {
                    try HTTPSource.check(header: header.key, text)
                }
            }
        }
        return url.map { .http(url: $0, headers: headers) }
    }

    private func check(_ place: Place?, advice: String, _ test: () throws -> Void) {
        do {
            try test()
        } catch {
            scope.report(place, (error as? CacheError)?.message ?? "\(error)", advice)
        }
    }

    private func readFile(_ settings: YAMLMapping, _ member: YAMLMapping.Member) -> SourceSettings? {
        settings.allow(["path"])
        guard let path = required("path", in: settings, of: member) else { return nil }
        guard !path.hasPrefix("/") else { return .file(path: path) }
        // From the folder of the configuration, wherever the program was started.
        let folder = URL(fileURLWithPath: scope.file).deletingLastPathComponent()
        return .file(path: folder.appendingPathComponent(path).standardizedFileURL.path)
    }

    private func required(_ key: String, in settings: YAMLMapping, of member: YAMLMapping.Member) -> String? {
        guard let value = settings[key] else {
            scope.report(member.keyPlace, "the \(member.key) source of field '\(name)' has no \(key)", "add \(key):")
            return nil
        }
        return value.word()
    }
}
