/// Waits until something is true, asking again and again for up to so long.
///
/// - Returns: whether it became true.
public func eventually(within limit: Duration = .seconds(30), _ condition: () async throws -> Bool) async rethrows
    -> Bool
{
    let deadline = ContinuousClock.now + limit
    while ContinuousClock.now < deadline {
        if try await condition() { return true }
        try? await Task.sleep(for: .milliseconds(2))
    }
    return try await condition()
}
