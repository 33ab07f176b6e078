import TestSupport

extension RedisServer {
    /// How often the server was asked which slots are where.
    var slotsQueries: Int { get throws { try count(of: "cmdstat_cluster|slots:calls=", in: "commandstats") } }

    /// How many commands were answered with an error.
    func errors(_ code: String) throws -> Int { try count(of: "errorstat_\(code):count=", in: "errorstats") }

    /// Its name in the cluster.
    var clusterID: Substring {
        get throws { try command("CLUSTER MYID").split(whereSeparator: \.isNewline).last ?? "" }
    }

    var isPrimary: Bool { (try? command("ROLE"))?.contains("master") == true }
    var isServing: Bool { (try? command("CLUSTER INFO"))?.contains("cluster_state:ok") == true }

    private func count(of label: String, in section: String) throws -> Int {
        let line = try command("INFO \(section)").split(whereSeparator: \.isNewline).first { $0.hasPrefix(label) }
        return line.flatMap { Int($0.dropFirst(label.count).prefix { $0.isNumber }) } ?? 0
    }
}
