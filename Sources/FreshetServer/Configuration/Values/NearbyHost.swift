import Foundation

/// Hosts that are reached without a way through the internet.
enum NearbyHost {
    private static let domains = [".internal", ".local", ".localhost"]

    /// Whether a host is this machine, has a name of the local network, such as another container's, or a private
    /// address.
    static func isNearby(_ host: String) -> Bool {
        if ServerSettings.isLoopback(host) { return true }
        let bare = ServerSettings.bare(host)
        if bare.contains(":") { return isPrivate(version6: bare) }
        let numbers = bare.split(separator: ".", omittingEmptySubsequences: false).map { UInt8($0) }
        if numbers.count == 4, let first = numbers[0], let second = numbers[1], numbers[2] != nil, numbers[3] != nil {
            return isPrivate(first, second)
        }
        let name = bare.lowercased()
        return !name.contains(".") || domains.contains(where: name.hasSuffix)
    }

    /// Whether what is sent to a URL would cross the internet in plain text.
    static func isExposed(_ url: String) -> Bool {
        guard let url = URL(string: url), url.scheme?.lowercased() == "http", let host = url.host() else {
            return false
        }
        return !isNearby(host)
    }

    /// RFC 1918 and 3927.
    private static func isPrivate(_ first: UInt8, _ second: UInt8) -> Bool {
        switch (first, second) {
        case (10, _), (172, 16...31), (192, 168), (169, 254): true
        default: false
        }
    }

    /// RFC 4193 and 4291.
    private static func isPrivate(version6 address: String) -> Bool {
        guard let first = UInt16(address.prefix { $0 != ":" }, radix: 16) else { return false }
        return first & 0xFE00 == 0xFC00 || first & 0xFFC0 == 0xFE80
    }
}
