// swift-tools-version: 6.2
import Foundation
import PackageDescription

let package = Package(
    name: "freshet",
    platforms: [.macOS(.v15), .iOS(.v18)],
    products: [
        .library(name: "Freshet", targets: ["Freshet"]),
        .library(name: "FreshetServer", targets: ["FreshetServer"]),
        .library(name: "FreshetRedis", targets: ["FreshetRedis"]),
        .library(name: "FreshetAirtable", targets: ["FreshetAirtable"]),
        .library(name: "FreshetSources", targets: ["FreshetSources"]),
        .library(name: "FreshetTesting", targets: ["FreshetTesting"]),
        .library(name: "RedisClient", targets: ["RedisClient"]),
        .library(name: "UpstashClient", targets: ["UpstashClient"]),
        .library(name: "RESP", targets: ["RESP"]),
        .library(name: "BoundedCache", targets: ["BoundedCache"]),
        .executable(name: "freshet", targets: ["FreshetCLI"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.0"),
        .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.0"),
        .package(url: "https://github.com/apple/swift-nio-extras", from: "1.35.0"),
        .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.14.0"),
        .package(url: "https://github.com/apple/swift-metrics", from: "2.9.0"),
        .package(url: "https://github.com/apple/swift-distributed-tracing", from: "1.6.0"),
        .package(url: "https://github.com/apple/swift-crypto", "3.12.0"..<"5.0.0"),
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
        .package(url: "https://github.com/swift-server/async-http-client", from: "1.37.0"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.0", traits: []),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.0"),
        .package(url: "https://github.com/HdrHistogram/hdrhistogram-swift", from: "0.2.0"),
    ],
    targets: [
        // Floor 0
        .target(name: "BoundedCache"),
        .target(name: "RESP", dependencies: [.nio("NIOCore"), .nio("NIOConcurrencyHelpers")]),
        .target(name: "CertificateChecks", dependencies: [.nioSSL]),
        // Floor 1
        .target(
            name: "HTTPAsking",
            dependencies: [
                "CertificateChecks", .asyncHTTPClient, .nio("NIOCore"), .nio("NIOPosix"), .nio("NIOHTTP1"), .nioSSL,
                .httpCompression,
            ]
        ),
        .target(
            name: "RedisClient",
            dependencies: [
                "CertificateChecks", "RESP", .nio("NIOCore"), .nio("NIOPosix"), .nio("NIOConcurrencyHelpers"), .nioSSL,
                .logging,
            ]
        ),
        // Floor 2
        .target(
            name: "UpstashClient",
            dependencies: [
                "RESP", "HTTPAsking", .asyncHTTPClient, .nio("NIOCore"), .nio("NIOConcurrencyHelpers"),
                .nio("NIOHTTP1"), .logging,
            ]
        ),
        .target(
            name: "Freshet",
            dependencies: [
                "BoundedCache", .nio("NIOCore"), .nio("NIOConcurrencyHelpers"), .nio("NIOFoundationCompat"),
                .crypto, .lifecycle, .logging, .metrics, .tracing,
            ]
        ),
        // Floor 3
        .target(
            name: "FreshetRedis",
            dependencies: ["Freshet", "RESP", .nio("NIOCore"), .nio("NIOConcurrencyHelpers"), .logging]
        ),
        .target(
            name: "FreshetAirtable",
            dependencies: [
                "Freshet", "HTTPAsking", .asyncHTTPClient, .nio("NIOCore"), .nio("NIOConcurrencyHelpers"),
                .nio("NIOHTTP1"), .logging,
            ]
        ),
        .target(
            name: "FreshetSources",
            dependencies: [
                "BoundedCache", "Freshet", "HTTPAsking", .asyncHTTPClient, .nio("NIOCore"),
                .nio("NIOConcurrencyHelpers"), .nio("NIOPosix"), .nio("NIOHTTP1"),
            ]
        ),
        .target(
            name: "FreshetTesting",
            dependencies: [
                "Freshet", .hummingbird, .nio("NIOCore"), .nio("NIOConcurrencyHelpers"), .lifecycle, .logging,
            ]
        ),
        // Floor 4
        .systemLibrary(name: "CZlib"),
        .target(
            name: "FreshetServer",
            dependencies: [
                "CZlib", "Freshet", "FreshetAirtable", "FreshetRedis", "FreshetSources", "RESP", "RedisClient",
                "HTTPAsking", "UpstashClient", .asyncHTTPClient, .hummingbird, .hummingbirdCore, .httpTypes,
                .nioHTTPTypes,
                .nio("NIOCore"), .nio("NIOConcurrencyHelpers"), .nio("NIOHTTP1"), .nio("NIOPosix"), .lifecycle,
                .unixSignals, .logging, .coreMetrics,
                .product(name: "Yams", package: "Yams"),
            ]
        ),
        // Floor 5
        .executableTarget(
            name: "FreshetCLI",
            dependencies: [
                "Freshet", "FreshetServer", "FreshetTesting", "RESP", "RedisClient", "HTTPAsking", "UpstashClient",
                .asyncHTTPClient, .nio("NIOCore"), .nio("NIOPosix"), .nio("NIOHTTP1"), .nioSSL, .lifecycle, .logging,
                .metrics,
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Histogram", package: "hdrhistogram-swift"),
            ]
        ),
        // Tests
        .target(
            name: "TestSupport",
            dependencies: [
                "RESP", .asyncHTTPClient, .nio("NIOCore"), .nio("NIOPosix"), .nio("NIOConcurrencyHelpers"),
                .nio("NIOHTTP1"), .lifecycle, .logging,
            ],
            path: "Tests/TestSupport"
        ),
        .testTarget(
            name: "BoundedCacheTests",
            dependencies: ["BoundedCache", "TestSupport", .nio("NIOConcurrencyHelpers")]
        ),
        .testTarget(
            name: "RESPTests",
            dependencies: ["RESP", "TestSupport", .nio("NIOCore"), .nio("NIOConcurrencyHelpers")]
        ),
        .testTarget(
            name: "RedisClientTests",
            dependencies: [
                "RESP", "RedisClient", "TestSupport", .nio("NIOCore"), .nio("NIOEmbedded"), .nio("NIOPosix"),
                .nio("NIOConcurrencyHelpers"), .logging,
            ]
        ),
        .testTarget(
            name: "UpstashClientTests",
            dependencies: [
                "Freshet", "FreshetRedis", "FreshetServer", "FreshetTesting", "RESP", "RedisClient", "UpstashClient",
                "TestSupport", .asyncHTTPClient, .logging, .nio("NIOCore"), .nio("NIOPosix"), .nio("NIOHTTP1"),
                .nio("NIOConcurrencyHelpers"),
            ]
        ),
        .testTarget(
            name: "FreshetTests",
            dependencies: [
                "Freshet", "FreshetTesting", "TestSupport", .nio("NIOCore"), .nio("NIOConcurrencyHelpers"), .lifecycle,
                .lifecycleTestKit, .logging, .metrics, .metricsTestKit,
            ]
        ),
        .testTarget(
            name: "FreshetRedisTests",
            dependencies: [
                "Freshet", "FreshetRedis", "FreshetTesting", "RESP", "RedisClient", "TestSupport", .nio("NIOCore"),
                .nio("NIOConcurrencyHelpers"),
            ]
        ),
        .testTarget(
            name: "FreshetAirtableTests",
            dependencies: [
                "Freshet", "FreshetAirtable", "FreshetTesting", "TestSupport", .asyncHTTPClient, .nio("NIOCore"),
                .nio("NIOConcurrencyHelpers"), .nio("NIOHTTP1"), .logging,
            ],
            exclude: ["pyairtable_check.py"]
        ),
        .testTarget(
            name: "FreshetSourcesTests",
            dependencies: [
                "BoundedCache", "Freshet", "FreshetSources", "HTTPAsking", "TestSupport", .asyncHTTPClient,
                .hummingbird, .nio("NIOCore"), .nio("NIOPosix"), .nio("NIOConcurrencyHelpers"), .nio("NIOHTTP1"),
                .nioSSL, .logging,
            ],
            exclude: ["locale_order.js"]
        ),
        .testTarget(
            name: "FreshetServerTests",
            dependencies: [
                "Freshet", "FreshetServer", "FreshetSources", "FreshetTesting", "RESP", "RedisClient", "TestSupport",
                "UpstashClient", .hummingbird, .hummingbirdTesting, .httpTypes, .nio("NIOCore"),
                .nio("NIOConcurrencyHelpers"), .lifecycleTestKit, .logging, .coreMetrics,
            ]
        ),
        .testTarget(
            name: "UpstashEndpointTests",
            dependencies: [
                "Freshet", "FreshetServer", "FreshetTesting", "RESP", "RedisClient", "TestSupport", .asyncHTTPClient,
                .httpTypes, .nio("NIOCore"), .nio("NIOConcurrencyHelpers"), .nio("NIOHTTP1"), .nio("NIOPosix"),
                .lifecycle, .logging,
            ],
            exclude: ["upstash_redis_check.py"]
        ),
        .testTarget(
            name: "FreshetCLITests",
            dependencies: [
                "FreshetCLI", "FreshetTesting", "TestSupport", .asyncHTTPClient, .nio("NIOCore"), .nio("NIOPosix"),
                .nio("NIOConcurrencyHelpers"), .nio("NIOHTTP1"),
            ]
        ),
        .testTarget(
            name: "IntegrationTests",
            dependencies: [
                "Freshet", "FreshetAirtable", "FreshetCLI", "FreshetRedis", "FreshetServer", "FreshetTesting", "RESP",
                "RedisClient", "TestSupport", .nio("NIOCore"), .nio("NIOPosix"), .nio("NIOConcurrencyHelpers"),
                .nio("NIOHTTP1"), .logging,
            ]
        ),
    ]
)

extension Target.Dependency {
    static func nio(_ name: String) -> Self { .product(name: name, package: "swift-nio") }

    static let asyncHTTPClient: Self = .product(name: "AsyncHTTPClient", package: "async-http-client")
    static let coreMetrics: Self = .product(name: "CoreMetrics", package: "swift-metrics")
    static let crypto: Self = .product(name: "Crypto", package: "swift-crypto")
    static let httpCompression: Self = .product(name: "NIOHTTPCompression", package: "swift-nio-extras")
    static let httpTypes: Self = .product(name: "HTTPTypes", package: "swift-http-types")
    static let hummingbird: Self = .product(name: "Hummingbird", package: "hummingbird")
    static let hummingbirdCore: Self = .product(name: "HummingbirdCore", package: "hummingbird")
    static let hummingbirdTesting: Self = .product(name: "HummingbirdTesting", package: "hummingbird")
    static let lifecycle: Self = .product(name: "ServiceLifecycle", package: "swift-service-lifecycle")
    static let lifecycleTestKit: Self = .product(name: "ServiceLifecycleTestKit", package: "swift-service-lifecycle")
    static let logging: Self = .product(name: "Logging", package: "swift-log")
    static let metrics: Self = .product(name: "Metrics", package: "swift-metrics")
    static let metricsTestKit: Self = .product(name: "MetricsTestKit", package: "swift-metrics")
    static let nioHTTPTypes: Self = .product(name: "NIOHTTPTypes", package: "swift-nio-extras")
    static let nioSSL: Self = .product(name: "NIOSSL", package: "swift-nio-ssl")
    static let tracing: Self = .product(name: "Tracing", package: "swift-distributed-tracing")
    static let unixSignals: Self = .product(name: "UnixSignals", package: "swift-service-lifecycle")
}

// One set of language features everywhere; CI sets CI=true, which makes warnings errors.
let warningsAreErrors = ProcessInfo.processInfo.environment["CI"] == "true"
for target in package.targets where target.type != .system {
    target.swiftSettings =
        (target.swiftSettings ?? []) + [
            .enableUpcomingFeature("ExistentialAny"),
            .enableUpcomingFeature("MemberImportVisibility"),
            .enableUpcomingFeature("InternalImportsByDefault"),
            .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
        ] + (warningsAreErrors ? [.treatAllWarnings(as: .error)] : [])
}
