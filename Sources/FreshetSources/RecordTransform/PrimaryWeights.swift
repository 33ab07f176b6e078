import Foundation
import NIOConcurrencyHelpers

/// Decides most comparisons of a language's order without asking for it.
///
/// Languages order texts by their letters first and look at accents and case only if all letters are equal (Unicode
/// Technical Standard 10, "Unicode Collation Algorithm", 1.1). So the first place where two texts have letters of
/// different weight decides, and that needs a table only. What it cannot decide is left to Foundation, whose comparison
/// takes a few microseconds, most of them for converting the texts.
///
/// The weights are not written down here: they are read off Foundation's order of single characters. That is right
/// where each of these characters has a weight of its own whatever its neighbours are, which holds for the languages
/// listed.
struct PrimaryWeights: Sendable, Hashable {
    /// In other languages letters have weights together, as `ch` in Czech, `aa` in Danish or `lj` in Croatian.
    private static let languages: Set<String> = [
        "ca", "de", "en", "es", "et", "fi", "fr", "gl", "id", "it", "nl", "pl", "pt", "ro", "sl", "sv", "tr",
    ]
    private static let letters =
        "áàâäãåąćčçéèêëęíìîïłńñóòôöõøśšúùûüýÿźżžÁÀÂÄÃÅĄĆČÇÉÈÊËĘÍÌÎÏŁŃÑÓÒÔÖÕØŚŠÚÙÛÜÝŸŹŻŽ"
    private static let tables = NIOLockedValueBox<[String: PrimaryWeights]>([:])

    /// By Unicode scalar, up to Latin Extended-A; 0 where nothing is known.
    private let weights: [UInt8]

    /// The weights of a language; nil where its order has rules that the table cannot express.
    static func of(language: String, _ locale: Locale) -> PrimaryWeights? {
        guard languages.contains(language) else { return nil }
        if let known = tables.withLockedValue({ $0[locale.identifier] }) { return known }
        let weights = PrimaryWeights(locale)
        tables.withLockedValue { $0[locale.identifier] = weights }
        return weights
    }

    private init(_ locale: Locale) {
        let ascii = (0x20...0x7E as ClosedRange<UInt8>).map { Unicode.Scalar($0) }
        let sorted = (ascii + Self.letters.unicodeScalars).map(String.init).sorted {
            TextOrder.compare($0, $1, locale) == .orderedAscending
        }
        var weights = [UInt8](repeating: 0, count: 0x180)
        var weight: UInt8 = 1
        for (index, character) in sorted.enumerated() {
            // With a late letter behind the smaller and an early one behind the greater, only a difference of the
            // first letters keeps the order.
            if index > 0, TextOrder.compare(sorted[index - 1] + "z", character + " ", locale) == .orderedAscending {
                weight += 1
            }
            for scalar in character.unicodeScalars { weights[Int(scalar.value)] = weight }
        }
        self.weights = weights
    }

    /// The weights of a text's characters, as far as they are known.
    struct Key {
        var weights: [UInt8] = []
        var isWhole = false

        /// Nil if the weights do not tell.
        func compare(_ other: Key) -> ComparisonResult? {
            let common = min(weights.count, other.weights.count)
            for index in 0..<common where weights[index] != other.weights[index] {
                return weights[index] < other.weights[index] ? .orderedAscending : .orderedDescending
            }
            guard isWhole, other.isWhole, weights.count != other.weights.count else { return nil }
            return weights.count < other.weights.count ? .orderedAscending : .orderedDescending
        }
    }

    func key(of text: String) -> Key {
        var key: [UInt8] = []
        key.reserveCapacity(text.utf8.count)
        for scalar in text.unicodeScalars {
            let weight = scalar.value < 0x180 ? weights[Int(scalar.value)] : 0
            guard weight > 0 else {
                // A mark that follows may make another letter of the one before.
                if !key.isEmpty { key.removeLast() }
                return Key(weights: key, isWhole: false)
            }
            key.append(weight)
        }
        return Key(weights: key, isWhole: true)
    }
}
