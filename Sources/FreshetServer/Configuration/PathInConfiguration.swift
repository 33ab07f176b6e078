import Foundation

/// Paths in a configuration file count from the folder it is in, wherever the program was started.
enum PathInConfiguration {
    static func resolve(_ path: String, beside file: String) -> String {
        guard !path.hasPrefix("/") else { return path }
        let folder = URL(fileURLWithPath: file).deletingLastPathComponent()
        return folder.appendingPathComponent(path).standardizedFileURL.path
    }
}
