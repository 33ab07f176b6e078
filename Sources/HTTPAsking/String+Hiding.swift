import Foundation

extension String {
    /// A proxy on the way may repeat in its answer what it was sent.
    package func hiding(_ token: String) -> String {
        replacingOccurrences(of: token, with: "…", options: .caseInsensitive)
    }
}
