extension String {
    /// Its first 1,000 characters, as Unicode counts them, and an ellipsis where there are more: for what is remembered and
    /// sent, whoever has written it.
    var brief: String {
        let start = unicodeScalars.prefix(1000)
        return start.endIndex == endIndex ? self : String(start) + "…"
    }
}
