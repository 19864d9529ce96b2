// swift-tools-version: 6.2
import PackageDescription

/// Warnings are errors where `PARLEY_STRICT=1` (every make target sets it): a user's newer toolchain must not fail on
/// a new warning.
let strict = Context.environment["PARLEY_STRICT"] == "1"

let swiftSettings: [SwiftSetting] =
    [
        .enableUpcomingFeature("ExistentialAny"),
        .enableUpcomingFeature("InternalImportsByDefault"),
        .enableUpcomingFeature("MemberImportVisibility"),
        .enableUpcomingFeature("InferIsolatedConformances"),
        .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    ] + (strict ? [.treatAllWarnings(as: .error)] : [])

let crypto: Target.Dependency = .product(name: "Crypto", package: "swift-crypto")
let logging: Target.Dependency = .product(name: "Logging", package: "swift-log")

func module(_ name: String, _ dependencies: [Target.Dependency] = []) -> Target {
    .target(name: name, dependencies: dependencies, swiftSettings: swiftSettings)
}

func tests(_ name: String, _ dependencies: [Target.Dependency], exclude: [String] = []) -> Target {
    .testTarget(name: name, dependencies: dependencies, exclude: exclude, swiftSettings: swiftSettings)
}

let package = Package(
    name: "parley",
    platforms: [.macOS(.v15), .iOS(.v18)],
    products: [
        .library(name: "DifferentialPrivacy", targets: ["DifferentialPrivacy"]),
        .library(name: "DatasiteClient", targets: ["DatasiteClient"]),
        .library(name: "DatasiteProtocol", targets: ["DatasiteProtocol"]),
        .executable(name: "parley", targets: ["parley"]),
    ],
    dependencies: [
        .package(url: "https://github.com/groue/GRDB.swift", .upToNextMinor(from: "7.10.0")),
        .package(url: "https://github.com/hummingbird-project/hummingbird", .upToNextMinor(from: "2.28.1")),
        .package(url: "https://github.com/apple/swift-crypto", .upToNextMinor(from: "4.5.2")),
        .package(url: "https://github.com/apple/swift-argument-parser", .upToNextMinor(from: "1.8.2")),
        .package(url: "https://github.com/apple/swift-log", .upToNextMinor(from: "1.16.2")),
        .package(url: "https://github.com/apple/swift-nio", .upToNextMinor(from: "2.101.2")),
        .package(url: "https://github.com/apple/swift-nio-ssl", .upToNextMinor(from: "2.37.6")),
        .package(
            url: "https://github.com/swift-server/swift-service-lifecycle", .upToNextMinor(from: "2.13.0")),
        .package(url: "https://github.com/swift-server/async-http-client", .upToNextMinor(from: "1.37.0")),
        .package(url: "https://github.com/jpsim/Yams", .upToNextMinor(from: "6.2.2")),
    ],
    targets: [
        .systemLibrary(name: "CZlib", path: "Sources/CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
        .systemLibrary(
            name: "CZstd", path: "Sources/CZstd", pkgConfig: "libzstd",
            providers: [.apt(["libzstd-dev"]), .brew(["zstd"])]),
        module("DatasiteProtocol", [crypto]),
        module("Secrets"),
        module("DifferentialPrivacy", ["Secrets"]),
        .target(name: "Kernels"),
        module("Tables", ["Kernels", "Secrets"]),
        module("SyntheticData", ["Tables", "DifferentialPrivacy"]),
        module("Query", ["DatasiteProtocol", "Tables", "DifferentialPrivacy"]),
        module("Governance", ["Tables", "DifferentialPrivacy"]),
        module(
            "Datasite",
            [
                "DatasiteProtocol", "Governance", "Query", "SyntheticData", "Tables", "DifferentialPrivacy", "Secrets",
                "CZlib", "CZstd", crypto,
                .product(name: "GRDB", package: "GRDB.swift"),
                .product(name: "Yams", package: "Yams"),
            ]),
        module(
            "DatasiteClient",
            [
                "DatasiteProtocol", crypto,
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOFoundationCompat", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
            ]),
        module(
            "DatasiteServer",
            [
                "Datasite", "DatasiteProtocol", logging,
                .product(name: "Hummingbird", package: "hummingbird"),
                .product(name: "HummingbirdCore", package: "hummingbird"),
                .product(name: "HummingbirdTLS", package: "hummingbird"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
                .product(name: "UnixSignals", package: "swift-service-lifecycle"),
            ]),
        .executableTarget(
            name: "parley",
            dependencies: [
                "DatasiteClient", "DatasiteServer", "Datasite", "DatasiteProtocol",
                "DifferentialPrivacy", "Secrets", crypto, logging,
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "UnixSignals", package: "swift-service-lifecycle"),
            ],
            swiftSettings: swiftSettings),
        .executableTarget(
            name: "parley-bench",
            dependencies: ["Datasite", "DatasiteProtocol", "DifferentialPrivacy", "Secrets"],
            path: "Benchmarks/parley-bench", swiftSettings: swiftSettings),
        tests("SecretsTests", ["Secrets"]),
        tests("DifferentialPrivacyTests", ["DifferentialPrivacy", "Secrets"]),
        tests("TablesTests", ["Tables", "Secrets"], exclude: ["Fixtures"]),
        tests("SyntheticDataTests", ["SyntheticData", "Tables", "DifferentialPrivacy", "Secrets"]),
        tests("QueryTests", ["Query", "DatasiteProtocol", "Tables", "DifferentialPrivacy", "Secrets"]),
        tests("PrivacyAudits", ["DatasiteProtocol", "Query", "SyntheticData", "Tables", "DifferentialPrivacy", "Secrets"]),
        tests("DatasiteProtocolTests", ["DatasiteProtocol", crypto], exclude: ["Fixtures"]),
        tests("GovernanceTests", ["Governance", "Tables", "DifferentialPrivacy"]),
        tests(
            "DatasiteTests",
            [
                "Datasite", "DatasiteProtocol", "Governance", "Query", "Tables", "DifferentialPrivacy", "Secrets",
                .product(name: "GRDB", package: "GRDB.swift"), crypto,
            ], exclude: ["Fixtures"]),
        tests(
            "DatasiteServerTests",
            [
                "DatasiteServer", "DatasiteClient", "Datasite", "DatasiteProtocol", "Governance", "Query", "Tables",
                crypto,
                logging,
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
                .product(name: "Hummingbird", package: "hummingbird"),
                .product(name: "HummingbirdCore", package: "hummingbird"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
                .product(name: "Yams", package: "Yams"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
            ]),
        tests("CommandLineTests", ["parley", "DatasiteProtocol", "DatasiteClient", "Secrets"]),
        tests(
            "HostileInputTests",
            ["Datasite", "DatasiteProtocol", "Governance", "Query", "Tables", "DifferentialPrivacy", "Secrets"],
            exclude: ["Corpus", "Wrong"]),
        tests("ArchitectureTests", []),
    ]
)
