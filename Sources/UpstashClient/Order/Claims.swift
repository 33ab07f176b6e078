/// Footprints of jobs by their places in the order of the calls, among which those are found that one depends on.
struct Claims {
    typealias Place = Int

    private struct Users {
        private var readers = Places()
        private var writers = Places()

        var isEmpty: Bool { readers.isEmpty && writers.isEmpty }

        mutating func update(_ access: Footprint.Access, _ change: (inout Places) -> Void) {
            switch access {
            case .read: change(&readers)
            case .write: change(&writers)
            }
        }

        /// The last one that such an access has to come after.
        func last(before place: Place, _ access: Footprint.Access) -> Place? {
            let writer = writers.last(before: place)
            guard access == .write, let reader = readers.last(before: place) else { return writer }
            return max(reader, writer ?? reader)
        }
    }

    private var footprints: [Place: Footprint] = [:]
    private var keys: [Int: Users] = [:]
    private var channels: [Int: Places] = [:]
    private var everything = Users()
    /// All that read or write anything.
    private var anything = Users()

    var isEmpty: Bool { footprints.isEmpty }

    mutating func insert(_ footprint: Footprint, at place: Place) {
        footprints[place] = footprint
        update(footprint) { $0.insert(place) }
    }

    mutating func remove(at place: Place) {
        guard let footprint = footprints.removeValue(forKey: place) else { return }
        update(footprint) { $0.remove(place) }
    }

    private mutating func update(_ footprint: Footprint, _ change: (inout Places) -> Void) {
        for (key, access) in footprint.keys {
            keys[key, default: Users()].update(access, change)
            if keys[key]?.isEmpty == true { keys[key] = nil }
        }
        for channel in footprint.channels {
            change(&channels[channel, default: Places()])
            if channels[channel]?.isEmpty == true { channels[channel] = nil }
        }
        if let access = footprint.everything { everything.update(access, change) }
        if let access = footprint.strongest { anything.update(access, change) }
    }

    /// One before it that it depends on, as ``Footprint/depends(on:)`` says.
    ///
    /// - Complexity: O(*k* log *n*) with *k* keys of its own.
    func blocker(of place: Place) -> Place? {
        guard let own = footprints[place] else { return nil }
        if let blocker = own.everything.flatMap({ anything.last(before: place, $0) }) { return blocker }
        // As a read of everything does.
        if own.followsWrites, let blocker = anything.last(before: place, .read) { return blocker }
        if let blocker = own.strongest.flatMap({ everything.last(before: place, $0) }) { return blocker }
        for channel in own.channels {
            if let blocker = channels[channel]?.last(before: place) { return blocker }
        }
        for (key, access) in own.keys {
            if let blocker = keys[key]?.last(before: place, access) { return blocker }
        }
        return nil
    }

    func depends(_ place: Place, on earlier: Footprint) -> Bool {
        footprints[place]?.depends(on: earlier) ?? false
    }
}
