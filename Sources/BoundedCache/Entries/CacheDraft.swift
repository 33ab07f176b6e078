/// The entry an update works on; see ``BoundedCache/update(_:_:)``.
public struct CacheDraft<Value: Sendable>: ~Copyable {
    /// The value; `nil` where there is none, or to remove it.
    ///
    /// Changing it in place – `draft.value?.append(1)` – takes it out of the cache first, so that a copy-on-write value
    /// is not copied.
    public var value: Value? {
        get { content }
        set {
            if isOriginal { original.overwritten = content }
            content = newValue
            isOriginal = false
            isUntouched = false
        }
        _modify {
            takeOut()
            isUntouched = false
            yield &content
        }
    }

    /// What is left of its life; `nil` where it does not expire.
    ///
    /// An entry that was there keeps its deadline unless this is set, a new one gets the cache's default. Zero or less
    /// removes the entry.
    public var timeToLive: Duration? {
        didSet { isTimeToLiveSet = true }
    }

    private(set) var isTimeToLiveSet = false
    /// Whether the value was neither set nor changed in place.
    private(set) var isUntouched = true
    private var content: Value?
    /// Whether the value is the one that is in the cache, or was until it was changed in place.
    private var isOriginal = true
    private let original: DraftOriginal<Value>

    init(value: Value?, timeToLive: Duration?, original: DraftOriginal<Value>) {
        content = value
        self.timeToLive = timeToLive
        self.original = original
    }

    /// Gives the value away.
    mutating func takeValue() -> Value? { content.take() }

    private mutating func takeOut() {
        // Nothing is shared where nothing is counted; then the entry stays, and stays readable.
        if !_isPOD(Value.self), isOriginal, content != nil { original.takeOut() }
    }
}

/// Where a draft's value came from.
class DraftOriginal<Value: Sendable> {
    /// It, once the draft has another value in its place.
    final var overwritten: Value?

    /// Gives up the cache's own hold on the value.
    func takeOut() {}
}
