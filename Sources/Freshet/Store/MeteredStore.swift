/// A store whose every call costs something.
package protocol MeteredStore {
    /// How often to look whether it is there while nobody asks it anything; nil where that costs next to nothing.
    var idlePeriod: Duration? { get }
}
