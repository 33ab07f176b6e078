import BoundedCache
import Foundation
import Freshet

/// An order of texts: that of a language, or that of Unicode scalars.
struct TextOrder: Sendable, Hashable {
    private let locale: Locale?
    private let weights: PrimaryWeights?

    /// - Parameter locale: a language, with script and region if need be, as in `es`, `es-MX`, `zh-Hant-TW`.
    /// - Throws: `CacheError` with `configuration`.
    init(locale identifier: String?) throws {
        guard let identifier else {
            locale = nil
            weights = nil
            return
        }
        // Extensions, which could ask for another order than the language's usual one, are not understood.
        let pattern = /([A-Za-z]{2,3})([-_][A-Za-z]{4})?([-_]([A-Za-z]{2}|[0-9]{3}))?/
        guard let parts = identifier.wholeMatch(of: pattern),
            Locale.LanguageCode(parts.1.lowercased()).isISOLanguage
        else {
            throw CacheError(
                .configuration,
                "'\(identifier.prefix(50))' is no locale; write a language such as es or es-MX"
            )
        }
        let locale = Locale(identifier: identifier.replacing("-", with: "_"))
        self.locale = locale
        weights = PrimaryWeights.of(language: parts.1.lowercased(), locale)
    }

    /// The place of every text in the order; texts that are equal in it share one.
    func ranks(of texts: some Sequence<String>) -> [ExactKey: Int] {
        // Each once, in the order of their scalars, which is that of their bytes. A language's order starts from it,
        // too: where Foundation contradicts itself, at least it does so every time.
        let texts = Set(texts.map { ExactKey($0) }).sorted {
            $0.text.utf8.lexicographicallyPrecedes($1.text.utf8)
        }
        guard let locale else { return Dictionary(uniqueKeysWithValues: zip(texts, 0...)) }
        let keys = texts.map { weights?.key(of: $0.text) ?? PrimaryWeights.Key() }
        return rank(texts) { keys[$0].compare(keys[$1]) ?? Self.compare(texts[$0].text, texts[$1].text, locale) }
    }

    private func rank(_ texts: [ExactKey], by compare: (Int, Int) -> ComparisonResult) -> [ExactKey: Int] {
        var ranks: [ExactKey: Int] = [:]
        ranks.reserveCapacity(texts.count)
        var rank = 0
        var last: Int?
        for index in texts.indices.sorted(by: { compare($0, $1) == .orderedAscending }) {
            if let last, compare(last, index) != .orderedSame { rank += 1 }
            last = index
            ranks[texts[index]] = rank
        }
        return ranks
    }

    /// ICU's order, from the same data that JavaScript engines have.
    ///
    /// Two texts that differ only in a no-break space, or in characters that are not seen, such as soft hyphens, may
    /// be in another order than there; so may `1ª` and `1A`, which differ in the letter's form; and in Czech, Danish and
    /// the like words that begin alike up to such a letter.
    static func compare(_ left: String, _ right: String, _ locale: Locale) -> ComparisonResult {
        left.compare(right, options: [], range: nil, locale: locale)
    }
}
