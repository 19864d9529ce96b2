// swift-tools-version: 6.2
import PackageDescription

// The fuzzers (`make fuzz`): a package of its own, so that instrumented objects never meet the ordinary build. Its modules
// are links to the real sources, cut down to those that need neither HTTP nor a database.

let instrumented: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InferIsolatedConformances"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    .unsafeFlags(["-sanitize=fuzzer,address", "-enable-testing"]),
]

func module(_ name: String, _ dependencies: [Target.Dependency] = []) -> Target {
    .target(name: name, dependencies: dependencies, swiftSettings: instrumented)
}

let package = Package(
    name: "Fuzz",
    platforms: [.macOS(.v15)],
    dependencies: [
        .package(url: "https://github.com/jpsim/Yams", .upToNextMinor(from: "6.2.2")),
        .package(url: "https://github.com/apple/swift-crypto", .upToNextMinor(from: "4.5.2")),
    ],
    targets: [
        .systemLibrary(name: "CZlib", pkgConfig: "zlib"),
        .systemLibrary(name: "CZstd", pkgConfig: "libzstd"),
        .systemLibrary(name: "CLibFuzzer"),
        module("DatasiteProtocol", [.product(name: "Crypto", package: "swift-crypto")]),
        module("Secrets"),
        module("DifferentialPrivacy", ["Secrets"]),
        .target(name: "Kernels"),
        module("Tables", ["Kernels", "Secrets"]),
        module("Statistics", ["DifferentialPrivacy", "Secrets"]),
        module("Query", ["DatasiteProtocol", "Tables", "DifferentialPrivacy", "Statistics"]),
        module("Learning", ["DatasiteProtocol", "Kernels", "DifferentialPrivacy", "Secrets"]),
        module(
            "MultipartyComputation",
            [
                "Secrets", .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "CryptoExtras", package: "swift-crypto"),
            ]),
        module(
            "Federation",
            [
                "Learning", "MultipartyComputation", "DifferentialPrivacy", "Secrets",
                .product(name: "Crypto", package: "swift-crypto"),
            ]),
        module("TransparencyLog", ["Secrets", .product(name: "Crypto", package: "swift-crypto")]),
        module("Marketplace", ["TransparencyLog", "Secrets", .product(name: "Crypto", package: "swift-crypto")]),
        module("ModularArithmetic", ["Kernels"]),
        module(
            "SecureComputation",
            ["ModularArithmetic", "Secrets", .product(name: "Crypto", package: "swift-crypto")]),
        module(
            "EncryptedPrediction",
            [
                "DatasiteProtocol", "Learning", "ModularArithmetic", "SecureComputation",
                .product(name: "Crypto", package: "swift-crypto"),
            ]),
        module("ContentAddressing", [.product(name: "Crypto", package: "swift-crypto")]),
        module("Governance", ["Tables", "DifferentialPrivacy"]),
        module(
            "Datasite",
            [
                "DatasiteProtocol", "Governance", "Query", "Learning", "Marketplace", "Tables", "DifferentialPrivacy",
                "CZlib", "CZstd",
                .product(name: "Yams", package: "Yams"),
            ]),
        module(
            "HostileInput",
            [
                "Datasite", "DatasiteProtocol", "Governance", "Federation", "Learning", "MultipartyComputation",
                "Query", "Tables",
                "TransparencyLog", "Marketplace", "ContentAddressing", "DifferentialPrivacy", "EncryptedPrediction",
                "ModularArithmetic", "SecureComputation", "Secrets",
                .product(name: "Crypto", package: "swift-crypto"),
            ]),
        .executableTarget(
            name: "parley-fuzz", dependencies: ["HostileInput", "CLibFuzzer"], swiftSettings: instrumented,
            // gold fails on instrumented objects.
            linkerSettings: [.unsafeFlags(["-sanitize=fuzzer,address"])]
                + [.unsafeFlags(["-use-ld=lld"], .when(platforms: [.linux]))]),
    ]
)
