// swift-tools-version: 6.2
import PackageDescription

let package = Package(
    name: "freshet-fuzzing",
    platforms: [.macOS(.v15)],
    dependencies: [.package(name: "freshet", path: "..")],
    targets: [
        .executableTarget(
            name: "resp-fuzzer",
            dependencies: [.product(name: "RESP", package: "freshet")],
            swiftSettings: [.enableUpcomingFeature("ExistentialAny"), .unsafeFlags(["-parse-as-library"])]
        )
    ]
)
