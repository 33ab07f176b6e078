// swift-tools-version: 6.2
import PackageDescription

let package = Package(
    name: "freshet-benchmarks",
    platforms: [.macOS(.v15)],
    dependencies: [
        .package(name: "freshet", path: ".."),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.0", traits: []),
        .package(url: "https://github.com/swift-server/async-http-client", from: "1.37.0"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.14.0"),
    ],
    targets: [
        .executableTarget(name: "hit-ratio", dependencies: [.freshet("BoundedCache")]),
        .executableTarget(name: "cache-stress", dependencies: [.freshet("BoundedCache")]),
        .executableTarget(
            name: "throughput",
            dependencies: [.freshet("BoundedCache")],
            exclude: ["CaffeineThroughput.java"]
        ),
        .executableTarget(name: "field-hit", dependencies: [.freshet("Freshet")]),
        .target(name: "CAllocationCount"),
        .executableTarget(
            name: "redis-driver",
            dependencies: [
                "CAllocationCount", .freshet("RESP"), .freshet("RedisClient"),
                .product(name: "NIOCore", package: "swift-nio"), .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOConcurrencyHelpers", package: "swift-nio"),
            ]
        ),
        .executableTarget(
            name: "upstash-client",
            dependencies: [
                .freshet("RESP"), .freshet("RedisClient"), .freshet("UpstashClient"),
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
                .product(name: "NIOCore", package: "swift-nio"), .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOConcurrencyHelpers", package: "swift-nio"),
            ]
        ),
        .executableTarget(
            name: "upstash-endpoint",
            dependencies: [
                .freshet("FreshetServer"), .freshet("RESP"), .freshet("RedisClient"),
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
                .product(name: "Logging", package: "swift-log"), .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
            ]
        ),
        .executableTarget(
            name: "http-hit",
            dependencies: [.freshet("FreshetServer"), .product(name: "Hummingbird", package: "hummingbird")]
        ),
    ]
)

extension Target.Dependency {
    static func freshet(_ product: String) -> Self { .product(name: product, package: "freshet") }
}

for target in package.targets {
    target.swiftSettings = [
        .enableUpcomingFeature("ExistentialAny"),
        .enableUpcomingFeature("MemberImportVisibility"),
        .enableUpcomingFeature("InternalImportsByDefault"),
        .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    ]
}
