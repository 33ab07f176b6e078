/// What interpolation, `String(reflecting:)` and `dump` make of a value.
public func printed(_ value: Any) -> String {
    var text = "\(value) \(String(reflecting: value)) "
    dump(value, to: &text)
    return text
}
