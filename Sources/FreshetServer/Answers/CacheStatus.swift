import Freshet

/// The response header `Cache-Status` (RFC 9211).
enum CacheStatus {
    static func header(of reading: FieldReading) -> String {
        var text = "freshet"
        switch reading.status {
        case .hit: text += "; hit; ttl=\(seconds(reading.timeToLive))"
        case .stale: text += "; hit; ttl=\(min(-1, seconds(reading.timeToLive)))"
        case .loaded: text += reading.isStored ? "; fwd=miss; stored" : "; fwd=miss"
        case .refreshed: text += reading.isStored ? "; fwd=request; stored" : "; fwd=request"
        }
        switch reading.detail {
        case .cooldown: text += "; detail=cooldown"
        case .queued: text += "; detail=queued"
        case .sourceFailed: text += "; detail=source-failed"
        case nil: break
        }
        return text
    }

    /// Whole seconds, rounded up: together with `Age`, which is rounded down, they make the whole time to live.
    static func seconds(_ duration: Duration) -> Int64 {
        let (seconds, attoseconds) = duration.components
        return attoseconds > 0 ? seconds + 1 : seconds
    }
}
