/// Runs something and gives the error of a type that it ended with, if it did.
///
/// - Throws: every other error.
public func thrown<Failure: Error>(
    _ type: Failure.Type = Failure.self,
    by body: () async throws -> some Any
) async throws -> Failure? {
    do {
        _ = try await body()
        return nil
    } catch let error as Failure {
        return error
    }
}

/// Runs something and gives the error that it ended with, if it did.
public func errorOf(_ body: () async throws -> some Any) async -> (any Error)? {
    do {
        _ = try await body()
        return nil
    } catch {
        return error
    }
}
