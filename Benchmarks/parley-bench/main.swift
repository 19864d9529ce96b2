import Foundation

/// Our own figures, one JSON object a line. `make bench` runs all; names as arguments run those.
let arguments = Array(CommandLine.arguments.dropFirst())
let benchmarks = [
    "disk", "noise", "ingest", "spill", "groupby", "ask", "server", "orders", "kernels", "training", "accuracy",
    "federation", "large", "protocols", "tally", "log", "market", "valuation", "content", "computation", "prediction",
]

if arguments.first == "child", arguments.count > 1 {
    try await runChild(Array(arguments.dropFirst()))
} else if arguments.first == "study" {
    // Not one of the benchmarks, which take minutes: `make study`.
    var study = try Study(Array(arguments.dropFirst()))
    try study.run()
} else if arguments.first == "errors", arguments.count == 4, let epsilon = Double(arguments[2]),
    let runs = Int(arguments[3])
{
    // Benchmarks/compare/errors.py calls this.
    try ErrorBenchmark(file: arguments[1], epsilon: epsilon, runs: runs).run()
} else {
    for name in arguments where !benchmarks.contains(name) {
        complain("parley-bench: no benchmark \(name); there are \(benchmarks.joined(separator: ", "))")
        exit(2)
    }
    let workplace = try Workplace()
    defer { workplace.remove() }
    for name in arguments.isEmpty ? benchmarks : arguments {
        switch name {
        case "disk": try benchmarkDisk(workplace)
        case "noise": try benchmarkNoise(workplace)
        case "ingest": try IngestBenchmark(workplace).run()
        case "spill": try IngestBenchmark(workplace).runSpill()
        case "groupby": try GroupByBenchmark(workplace).run()
        case "training": try TrainingBenchmark().run()
        case "accuracy": try AccuracyBenchmark().run()
        case "federation": try FederationBenchmark(workplace: workplace).run()
        case "large": try LargeModelBenchmark(workplace: workplace).run()
        case "protocols": try ProtocolBenchmark(workplace: workplace).run()
        case "tally": try await TallyBenchmark(workplace: workplace).run()
        case "log": try LogBenchmark(workplace: workplace).run()
        case "market":
            try MarketBenchmark().run()
            try await MarketStoreBenchmark(workplace: workplace).run()
        case "valuation": try ValuationBenchmark().run()
        case "computation":
            try ComputationBenchmark().run()
            try ThreePartyBenchmark().run()
            try JointTrainingBenchmark().run()
        case "prediction": try await PredictionBenchmark(workplace: workplace).run()
        case "content": try ContentBenchmark(workplace: workplace).run()
        case "orders": try benchmarkOrders()
        case "kernels": KernelsBenchmark().run()
        case "ask": try await AskBenchmark(workplace).run()
        default: try ServerBenchmark(workplace).run()
        }
    }
}

/// What runs in a process of its own, so that its memory is its own.
func runChild(_ arguments: [String]) async throws {
    switch (arguments[0], arguments.count) {
    case ("content", 4): try ContentBenchmark.child(arguments[1], file: arguments[2], store: arguments[3])
    // Tests/ContentStorageTests kills this one.
    case ("content-publish", 2): try ContentBenchmark.publishForEver(at: arguments[1])
    case ("ingest", 5):
        try IngestBenchmark.child(
            site: arguments[1], file: arguments[2], rows: Int(arguments[3]) ?? 0, units: Int(arguments[4]) ?? 0)
    // Benchmarks/compare/tables.py calls this: the table and our answers to it.
    case ("table", 3):
        _ = try GroupedTable(units: 100_000, rows: Int(arguments[2]) ?? 0).write(to: arguments[1])
    // Benchmarks/compare/training.py calls this: one model in a process of its own.
    case ("training", 2): try TrainingBenchmark().run(only: [arguments[1]])
    // Benchmarks/compare/federation.py calls this.
    case ("federation", 2): try FederationBenchmark.child(arguments[1])
    case ("large", 2): try await LargeModelBenchmark.child(arguments[1])
    case ("protocols", 2): try ProtocolBenchmark.child(arguments[1])
    // Tests/MarketplaceStoreTests/KilledProcessTests.swift calls these, and kills them.
    case ("market", 2): try MarketStoreBenchmark.appendUntilKilled(path: arguments[1])
    case ("market-folder", 2): try MarketStoreBenchmark.operateUntilKilled(folder: arguments[1])
    // One configuration alone.
    case ("accuracy", 2): try AccuracyBenchmark().run(only: [arguments[1]])
    case ("groupby", 3): try await GroupByBenchmark.child(site: arguments[1], loop: Double(arguments[2]) ?? .nan)
    default: exit(2)
    }
}
