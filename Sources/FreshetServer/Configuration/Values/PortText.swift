/// Ports to listen on, as the command line and the environment have them.
package enum PortText {
    package static func port(_ text: String) -> Int? {
        Int(text).flatMap { (0...65_535).contains($0) ? $0 : nil }
    }

    /// What is wrong with a text that is no port.
    package static func problem(_ text: String, origin: String) -> ConfigurationProblem {
        let advice = "use a number from 0 to 65535"
        return ConfigurationProblem(origin: origin, message: "'\(text)' is no port", advice: advice)
    }
}
