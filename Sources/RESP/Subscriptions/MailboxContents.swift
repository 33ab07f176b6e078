/// What a ``Mailbox`` was given and nobody has taken yet.
package protocol MailboxContents: Sendable {
    associatedtype Element: Sendable

    /// Removes what is to be read next.
    mutating func take() -> Element?
}
