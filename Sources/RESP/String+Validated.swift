extension String {
    /// `nil` for bytes that are not UTF-8.
    package init?(validated bytes: UnsafeRawBufferPointer) {
        // The library's own looks types up at each call, which takes longer than a short text.
        if bytes.count <= 256, bytes.allSatisfy({ $0 < 0x80 }) {
            self.init(decoding: bytes, as: UTF8.self)
        } else {
            self.init(validating: bytes, as: UTF8.self)
        }
    }
}
