import Freshet
import FreshetSources

extension Configuration {
    /// Looks for the files of the fields. One that is missing is a warning, since it may come later.
    ///
    /// - Parameter origin: the file the fields are of.
    package func inspectFiles(origin: String) -> [ConfigurationProblem] {
        fields.compactMap { field in
            guard case .file(let path) = field.source else { return nil }
            do {
                try FileSource(path: path).check()
                return nil
            } catch {
                let reason = (error as? CacheError)?.message ?? "an internal error"
                return ConfigurationProblem(
                    origin,
                    at: field.sourcePlace,
                    "field '\(field.name)' has nothing to read at \(path): \(reason)",
                    "check the path, which counts from the folder of the configuration"
                )
            }
        }
    }
}
