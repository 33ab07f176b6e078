import Freshet

/// C2 and C8: how many fetchers go on at once in a node, whether or not they heed their cancellation. At its hard
/// deadline none counts any more.
extension Contract {
    /// Of a key no more than two flights run, which may have been given up, and one on schedule beside them.
    ///
    /// Not where values are not to be kept: callers who load for themselves are bounded by the places alone.
    func checkFetchers() throws {
        try check(loads, atMost: policy.refreshEvery == nil ? 2 : 3, "C2: of one key")
    }

    /// No more loads go on than there are places. Those of the other field are shorter than any hard deadline.
    ///
    /// Not where loads wait for others, which need no place then.
    func checkPlaces(_ places: Int) throws {
        try check(loads + history.otherLoads, atMost: places, "C8: of all fields")
    }

    private func check(_ loads: [History.Load], atMost most: Int, _ whose: String) throws {
        for load in loads {
            guard let node = load.node else { continue }
            let atOnce = loads.filter { $0.node == node && goesOn($0, at: load.begin) }
            guard atOnce.count > most, let first = atOnce.map(\.begin).min() else { continue }
            throw breach("\(whose) \(atOnce.count) loads go on at once in node \(node)", first, load.begin)
        }
    }

    private func goesOn(_ load: History.Load, at moment: History.Moment) -> Bool {
        let isOverdue = moment.time >= load.begin.time + policy.hardDeadline
        return load.begin <= moment && (load.end.map { $0 > moment } ?? true) && !isOverdue
    }
}
