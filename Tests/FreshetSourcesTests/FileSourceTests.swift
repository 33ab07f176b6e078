import Foundation
import Freshet
import FreshetSources
import TestSupport
import Testing

@Suite("file source")
struct FileSourceTests {
    private func withFile(_ body: (URL) async throws -> Void) async throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "freshet-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        try await body(folder.appending(path: "a file.json"))
    }

    /// - Parameter age: by how much later than now it is.
    private func load(_ file: URL, etag: String? = nil, age: Duration = .zero) async throws -> LoadResult<JSONValue> {
        let source = try FileSource(path: file.path(percentEncoded: false)) { SystemSpawner().wallTime() + age }
        return try await source.load(LoadContext(etag: etag))
    }

    @Test("A file is read, not read again while it is the same, and read again when it has changed")
    func etag() async throws {
        try await withFile { file in
            try Data(#"[{"id":1}]"#.utf8).write(to: file)
            let (value, tag) = try await tagged(file)
            #expect(value == [["id": 1]])
            guard case .notModified = try await load(file, etag: tag, age: .seconds(3600)) else {
                Issue.record("read again")
                return
            }
            // Of the same size, under the same name.
            try Data(#"[{"id":2}]"#.utf8).write(to: file, options: .atomic)
            let changed = try FreshetSourcesTests.value(try await load(file, etag: tag, age: .seconds(3600)))
            #expect(changed == [["id": 2]])
        }
    }

    @Test("Of a member that is given twice the first counts")
    func doubledMember() async throws {
        try await withFile { file in
            try Data(#"{"a":1,"b":{"c":1,"c":2},"\u0061":3}"#.utf8).write(to: file)
            #expect(try FreshetSourcesTests.value(try await load(file)) == ["a": 1, "b": ["c": 1]])
        }
    }

    /// What is read, and its tag, a minute after the last change.
    private func tagged(_ file: URL) async throws -> (JSONValue, String) {
        guard case .value(let value, let details) = try await load(file, age: .seconds(60)) else {
            throw CancellationError()
        }
        return (value, try #require(details.etag))
    }

    @Test("A file that changes in place is read again, though its size and its date stay")
    func inPlace() async throws {
        try await withFile { file in
            let date = Date(timeIntervalSince1970: 1_700_000_000)
            func write(_ text: String) throws {
                let handle = try FileHandle(forWritingTo: file)
                try handle.write(contentsOf: Data(text.utf8))
                try handle.close()
                try FileManager.default.setAttributes(
                    [.modificationDate: date],
                    ofItemAtPath: file.path(percentEncoded: false)
                )
            }
            try Data().write(to: file)
            try write("[1]")
            let (_, tag) = try await tagged(file)
            // A tick of the file system's clock.
            #expect(
                try await eventually {
                    try write("[2]")
                    guard case .value(let value, _) = try await load(file, etag: tag, age: .seconds(60)) else {
                        return false
                    }
                    return value == [2]
                }
            )
        }
    }

    @Test("A file that has just changed has no tag, since it could change again without a trace")
    func justChanged() async throws {
        try await withFile { file in
            try Data("[1]".utf8).write(to: file)
            // However long this test takes, no time has passed for the source.
            let past = Duration.seconds(-60)
            guard case .value(_, let details) = try await load(file, age: past) else { throw CancellationError() }
            #expect(details.etag == nil)
            let (_, tag) = try await tagged(file)
            let again = try value(try await load(file, etag: tag, age: past))
            #expect(again == [1])
        }
    }

    @Test("A link is followed")
    func link() async throws {
        try await withFile { file in
            try Data("1".utf8).write(to: file)
            let link = file.deletingLastPathComponent().appending(path: "link")
            try FileManager.default.createSymbolicLink(at: link, withDestinationURL: file)
            let loaded = try value(try await load(link))
            #expect(loaded == 1)
        }
    }

    @Test("No file, a folder, an empty file, no JSON, too large: errors that name the file")
    func errors() async throws {
        try await withFile { file in
            func message() async -> String {
                let error = await cacheError { try await load(file) }
                #expect(error?.code == .sourceFailed)
                return error?.message ?? ""
            }
            #expect(await message().contains("no file at \(file.lastPathComponent),"))
            try Data().write(to: file)
            #expect(await message().contains("empty"))
            try Data("[1,".utf8).write(to: file)
            let cutOff = "cannot be read: the bytes are no JSON: it ends too soon, after 3 bytes, in line 1"
            #expect(await message().hasSuffix(cutOff))
            let description = await cacheError { try await load(file) }.map { "\($0)" } ?? ""
            #expect(description.hasSuffix(cutOff), "told once")
            try Data(#"[{"a":1e999}]"#.utf8).write(to: file)
            #expect(await message().hasSuffix("a number out of range at $[0].a"))
            let folder = file.deletingLastPathComponent()
            #expect(await cacheError { try await load(folder) }?.message.contains("regular") == true)
            let small = try FileSource(path: file.path(percentEncoded: false), maxBytes: 2)
            #expect(await cacheError { try await small.load(LoadContext()) }?.message.contains("3 bytes") == true)
        }
    }

    @Test("A device is not opened, since it could hang or never end", arguments: ["/dev/zero", "/dev/stdin"])
    func devices(_ path: String) async throws {
        #expect(await cacheError { try await FileSource(path: path).load(LoadContext()) }?.code == .sourceFailed)
    }

    @Test("A path is needed", arguments: ["", "a\u{0}b"])
    func paths(_ path: String) async {
        #expect(await cacheError { try FileSource(path: path) }?.code == .configuration)
    }
}
