import Foundation
import Freshet
import FreshetSources
import Testing

@Suite("file source")
struct FileSourceTests {
    private func withFile(_ body: (URL) async throws -> Void) async throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "freshet-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        try await body(folder.appending(path: "a file.json"))
    }

    private func load(_ file: URL, etag: String? = nil) async throws -> LoadResult<JSONValue> {
        try await FileSource(path: file.path(percentEncoded: false)).load(LoadContext(etag: etag))
    }

    @Test("A file is read, not read again while it is the same, and read again when it has changed")
    func etag() async throws {
        try await withFile { file in
            try Data(#"[{"id":1}]"#.utf8).write(to: file)
            guard case .value(let value, let details) = try await load(file) else { throw CancellationError() }
            #expect(value == [["id": 1]])
            guard case .notModified = try await load(file, etag: details.etag) else {
                Issue.record("read again")
                return
            }
            // Of the same size, under the same name.
            try Data(#"[{"id":2}]"#.utf8).write(to: file, options: .atomic)
            let changed = try FreshetSourcesTests.value(try await load(file, etag: details.etag))
            #expect(changed == [["id": 2]])
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
            #expect(await message().contains("not JSON"))
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
