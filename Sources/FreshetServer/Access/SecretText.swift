/// Tokens.
package enum SecretText {
    /// Whether every client can send it in a header.
    package static func canBeSent(_ token: String) -> Bool { token.utf8.allSatisfy { (0x21...0x7E).contains($0) } }

    /// Takes the same time wherever the texts differ. An empty secret equals nothing.
    static func equal(_ given: String, _ secret: String) -> Bool {
        let given = Array(given.utf8)
        let secret = Array(secret.utf8)
        var difference: UInt8 = given.count == secret.count ? 0 : 1
        for (index, byte) in given.enumerated() {
            difference |= byte ^ (secret.isEmpty ? 1 : secret[index % secret.count])
        }
        return difference == 0 && !secret.isEmpty
    }
}
