/// The hits of Belady's optimum, which evicts what is used last (IBM Systems Journal, 1966) and stores nothing that is
/// not used again.
func optimalHits(_ keys: [UInt64], capacity: Int) -> Int {
    var ahead: [UInt64: Int] = [:]
    var next = [Int](repeating: .max, count: keys.count)
    for index in keys.indices.reversed() {
        next[index] = ahead[keys[index]] ?? .max
        ahead[keys[index]] = index
    }
    var held: [UInt64: Int] = [:]
    var byNextUse = MaximumHeap()
    var hits = 0
    for (index, key) in keys.enumerated() {
        if held[key] != nil { hits += 1 }
        guard next[index] != .max else {
            held[key] = nil
            continue
        }
        held[key] = next[index]
        byNextUse.push((next[index], key))
        while held.count > capacity, let (use, key) = byNextUse.pop() {
            // Outdated heap items are those whose use is not the held one's.
            if held[key] == use { held[key] = nil }
        }
    }
    return hits
}

private struct MaximumHeap {
    private var items: [(Int, UInt64)] = []

    mutating func push(_ item: (Int, UInt64)) {
        items.append(item)
        var child = items.count - 1
        while child > 0, items[(child - 1) / 2].0 < items[child].0 {
            items.swapAt(child, (child - 1) / 2)
            child = (child - 1) / 2
        }
    }

    mutating func pop() -> (Int, UInt64)? {
        guard let last = items.popLast() else { return nil }
        guard let top = items.first else { return last }
        items[0] = last
        var parent = 0
        while 2 * parent + 1 < items.count {
            var child = 2 * parent + 1
            if child + 1 < items.count, items[child + 1].0 > items[child].0 { child += 1 }
            guard items[child].0 > items[parent].0 else { break }
            items.swapAt(child, parent)
            parent = child
        }
        return top
    }
}
