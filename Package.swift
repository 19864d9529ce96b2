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

/// A library of somebody else. All of them belong to the datasite and its clients: a package that depends on
/// `DifferentialPrivacy` alone disables the trait, and fetches none of them (docs/decisions/007-the-library-alone.md).
func outside(_ name: String, _ package: String) -> Target.Dependency {
    .product(name: name, package: package, condition: .when(traits: ["Datasite"]))
}

let crypto = outside("Crypto", "swift-crypto")
let cryptoExtras = outside("CryptoExtras", "swift-crypto")
let logging = outside("Logging", "swift-log")

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
        .library(name: "Learning", targets: ["Learning"]),
        .library(name: "Federation", targets: ["Federation"]),
        .library(name: "DatasiteClient", targets: ["DatasiteClient"]),
        .library(name: "DatasiteProtocol", targets: ["DatasiteProtocol"]),
        .library(name: "PredictionClient", targets: ["PredictionClient"]),
        .library(name: "Marketplace", targets: ["Marketplace", "MarketplaceStore"]),
        .library(name: "ChainRail", targets: ["ChainRail"]),
        .executable(name: "parley", targets: ["parley"]),
    ],
    traits: [
        .default(enabledTraits: ["Datasite"]),
        .trait(name: "Datasite", description: "The datasite, its client and the command."),
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
        .systemLibrary(
            name: "CSecp256k1", path: "Sources/CSecp256k1", pkgConfig: "libsecp256k1",
            providers: [.apt(["libsecp256k1-dev"]), .brew(["secp256k1"])]),
        module("DatasiteProtocol", [crypto]),
        module("Secrets"),
        module("DifferentialPrivacy", ["Secrets"]),
        .target(name: "Kernels"),
        .target(name: "ExampleData"),
        module("Statistics", ["DifferentialPrivacy", "Secrets"]),
        module("Tables", ["Kernels", "Secrets"]),
        module("SyntheticData", ["Tables", "DifferentialPrivacy"]),
        module("Query", ["DatasiteProtocol", "Tables", "DifferentialPrivacy", "Statistics"]),
        module("Learning", ["DatasiteProtocol", "Kernels", "DifferentialPrivacy", "Secrets"]),
        module("MultipartyComputation", ["Secrets", crypto, cryptoExtras]),
        module("ModularArithmetic", ["Kernels"]),
        module("SecureComputation", ["ModularArithmetic", "Secrets", crypto]),
        module(
            "SecureStatistics", ["SecureComputation", "ModularArithmetic", "DifferentialPrivacy", "Secrets", crypto]),
        module(
            "EncryptedPrediction",
            ["Learning", "SecureComputation", "ModularArithmetic", "DatasiteProtocol", crypto]),
        module("TransparencyLog", ["Secrets", crypto]),
        module("Marketplace", ["TransparencyLog", "Secrets", crypto]),
        module("MarketplaceStore", ["Marketplace", "TransparencyLog"]),
        .target(
            name: "ChainRail", dependencies: ["Marketplace", "Secrets", "CSecp256k1"],
            exclude: ["Contract/Escrow.vy", "Contract/Escrow.json"], swiftSettings: swiftSettings),
        module("ContentAddressing", [crypto]),
        module("ContentStorage", ["ContentAddressing"]),
        module(
            "Federation", ["Learning", "MultipartyComputation", "DifferentialPrivacy", "Secrets", crypto]),
        module("Governance", ["Tables", "DifferentialPrivacy"]),
        module(
            "Datasite",
            [
                "DatasiteProtocol", "Governance", "Query", "SyntheticData", "Learning", "MultipartyComputation",
                "Federation", "EncryptedPrediction", "SecureComputation", "SecureStatistics", "ModularArithmetic",
                "Marketplace", "TransparencyLog", "Tables", "DifferentialPrivacy", "Secrets", "CZlib",
                "CZstd", crypto,
                outside("GRDB", "GRDB.swift"),
                outside("Yams", "Yams"),
            ]),
        module(
            "DatasiteClient",
            [
                "DatasiteProtocol", crypto,
                outside("AsyncHTTPClient", "async-http-client"),
                outside("NIOCore", "swift-nio"),
                outside("NIOHTTP1", "swift-nio"),
                outside("NIOPosix", "swift-nio"),
                outside("NIOFoundationCompat", "swift-nio"),
                outside("NIOSSL", "swift-nio-ssl"),
            ]),
        module(
            "PredictionClient",
            [
                "DatasiteClient", "DatasiteProtocol", "EncryptedPrediction", "ModularArithmetic", "SecureComputation",
                crypto,
            ]),
        module(
            "DatasiteServer",
            [
                "Datasite", "DatasiteProtocol", "EncryptedPrediction", "Federation", "Marketplace", "MarketplaceStore",
                "TransparencyLog", "ContentAddressing", "ContentStorage", logging,
                outside("Hummingbird", "hummingbird"),
                outside("HummingbirdCore", "hummingbird"),
                outside("HummingbirdTLS", "hummingbird"),
                outside("NIOCore", "swift-nio"),
                outside("NIOHTTP1", "swift-nio"),
                outside("NIOPosix", "swift-nio"),
                outside("NIOSSL", "swift-nio-ssl"),
                outside("ServiceLifecycle", "swift-service-lifecycle"),
                outside("UnixSignals", "swift-service-lifecycle"),
            ]),
        .executableTarget(
            name: "parley",
            dependencies: [
                "DatasiteClient", "PredictionClient", "DatasiteServer", "Datasite", "DatasiteProtocol",
                "EncryptedPrediction", "Federation",
                "Learning", "SecureComputation", "Marketplace", "MarketplaceStore", "ContentAddressing",
                "ContentStorage", "MultipartyComputation",
                "TransparencyLog", "DifferentialPrivacy", "Secrets", "ExampleData", crypto, logging,
                outside("ArgumentParser", "swift-argument-parser"),
                outside("UnixSignals", "swift-service-lifecycle"),
            ],
            swiftSettings: swiftSettings),
        // What the benchmark measures and tests hold: no part of the program.
        .target(
            name: "ValuationStudy", dependencies: ["Marketplace", "Secrets"], path: "Benchmarks/ValuationStudy",
            swiftSettings: swiftSettings),
        .executableTarget(
            name: "parley-bench",
            dependencies: [
                "Datasite", "DatasiteClient", "DatasiteProtocol", "DifferentialPrivacy", "Federation", "Kernels",
                "Learning", "Marketplace", "MarketplaceStore", "ContentAddressing", "ContentStorage",
                "EncryptedPrediction", "PredictionClient", "ModularArithmetic", "SecureComputation",
                "SecureStatistics", "MultipartyComputation", "TransparencyLog", "Secrets", "ValuationStudy", crypto,
            ],
            path: "Benchmarks/parley-bench", swiftSettings: swiftSettings),
        tests("SecretsTests", ["Secrets"]),
        tests("KernelsTests", ["Kernels"]),
        tests("RingKernelsTests", ["Kernels", "Secrets"]),
        tests("ModularArithmeticTests", ["ModularArithmetic"]),
        tests("SecureComputationTests", ["SecureComputation", "ModularArithmetic", "Secrets", "Kernels"]),
        tests(
            "SecureStatisticsTests",
            ["SecureStatistics", "SecureComputation", "ModularArithmetic", "DifferentialPrivacy", "Secrets"],
            exclude: ["Resources"]),
        tests(
            "EncryptedPredictionTests",
            [
                "EncryptedPrediction", "DatasiteProtocol", "Learning", "SecureComputation", "ModularArithmetic",
                "Secrets",
                "CZlib", crypto,
            ]),
        tests("DifferentialPrivacyTests", ["DifferentialPrivacy", "Secrets"]),
        tests("StatisticsTests", ["Statistics", "DifferentialPrivacy", "Secrets"]),
        tests(
            "LearningTests", ["Learning", "DatasiteProtocol", "DifferentialPrivacy", "Secrets"], exclude: ["Fixtures"]),
        tests("MultipartyComputationTests", ["MultipartyComputation", "Secrets", crypto, cryptoExtras]),
        tests(
            "FederationTests",
            ["Federation", "Learning", "MultipartyComputation", "DifferentialPrivacy", "Secrets", crypto]),
        tests("TransparencyLogTests", ["TransparencyLog", "Secrets", crypto], exclude: ["go"]),
        tests("MarketplaceTests", ["Marketplace", "Learning", "Secrets", crypto]),
        tests("ChainTests", ["Marketplace", "Secrets"]),
        tests("ChainRailTests", ["ChainRail", "Marketplace", "Secrets"], exclude: ["evm"]),
        tests("MarketplaceStoreTests", ["Marketplace", "MarketplaceStore", "TransparencyLog", "Secrets", crypto]),
        tests("ContentAddressingTests", ["ContentAddressing", "Secrets", crypto]),
        tests("ContentStorageTests", ["ContentAddressing", "ContentStorage", "Secrets"], exclude: ["Kubo"]),
        tests("ValuationTests", ["Marketplace", "ValuationStudy", "DifferentialPrivacy", "Secrets"]),
        tests("TablesTests", ["Tables", "Secrets"], exclude: ["Fixtures"]),
        tests("SyntheticDataTests", ["SyntheticData", "Tables", "DifferentialPrivacy", "Secrets"]),
        tests(
            "QueryTests", ["Query", "DatasiteProtocol", "Tables", "DifferentialPrivacy", "Statistics", "Secrets"]),
        tests(
            "PrivacyAudits",
            ["DatasiteProtocol", "Learning", "Query", "SyntheticData", "Tables", "DifferentialPrivacy", "Secrets"]),
        tests("DatasiteProtocolTests", ["DatasiteProtocol", crypto], exclude: ["Fixtures"]),
        tests("GovernanceTests", ["Governance", "Tables", "DifferentialPrivacy"]),
        tests(
            "DatasiteTests",
            [
                "Datasite", "DatasiteProtocol", "Governance", "Query", "Learning", "Tables", "DifferentialPrivacy",
                "EncryptedPrediction", "SecureComputation", "SecureStatistics", "ModularArithmetic", "Marketplace",
                "TransparencyLog", "Secrets", outside("GRDB", "GRDB.swift"), crypto,
            ], exclude: ["Fixtures"]),
        tests(
            "DatasiteServerTests",
            [
                "TransparencyLog", "DatasiteServer", "DatasiteClient", "Datasite", "DatasiteProtocol", "Federation",
                "Governance", "Marketplace", "MarketplaceStore", "ContentAddressing", "ContentStorage", "Query",
                "Tables",
                crypto,
                logging,
                outside("AsyncHTTPClient", "async-http-client"),
                outside("Hummingbird", "hummingbird"),
                outside("HummingbirdCore", "hummingbird"),
                outside("ServiceLifecycle", "swift-service-lifecycle"),
                outside("Yams", "Yams"),
                outside("NIOCore", "swift-nio"),
                outside("NIOHTTP1", "swift-nio"),
                outside("NIOPosix", "swift-nio"),
                outside("NIOSSL", "swift-nio-ssl"),
            ]),
        tests(
            "CommandLineTests",
            [
                "parley", "Datasite", "DatasiteProtocol", "DatasiteClient", "Marketplace", "TransparencyLog", "Secrets",
            ], exclude: ["Texts"]),
        tests(
            "HostileInputTests",
            [
                "Datasite", "DatasiteProtocol", "Governance", "Federation", "Learning", "MultipartyComputation",
                "Query", "Tables",
                "TransparencyLog", "Marketplace", "ContentAddressing", "DifferentialPrivacy", "EncryptedPrediction",
                "ModularArithmetic", "SecureComputation", "Secrets", crypto,
            ],
            exclude: ["Corpus", "Wrong"]),
        tests("ArchitectureTests", []),
    ]
)
