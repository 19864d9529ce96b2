import Datasite
import DatasiteProtocol
import Foundation

/// Count, sum and mean by an unknown key, through the datasite: from `ask` to its stored release.
struct GroupByBenchmark {
    let table: GroupedTable
    let site: String

    static let runs = 20
    static let rho = 0.0216

    static let manifest = """
        name: grouped
        title: Benchmark table
        description: 1e7 rows of 1e5 units in 1000 groups
        population: benchmark
        unit: {column: unit, rows: 200, groups: 10, rows-per-group: 20}
        capacity: {rows: 10000000, units: 100000}
        policy: {loss: zcdp, delta: 2e-6, total: {rho: 0.44}, aggregates: all, approval: automatic}
        columns:
          - {name: unit, type: integer, nullable: false, description: the unit}
          - {name: g, type: integer, nullable: false, description: the group}
          - {name: v, type: real, bounds: [0, 100], nullable: false, description: the value}
        """

    /// Makes the table, adds it, and asks in a process of its own, so that memory is the asking's alone.
    static func run(_ table: GroupedTable) throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "parley-bench-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let file = folder.appending(path: "grouped.csv").path
        let bytes = try table.write(to: file)
        let site = folder.appending(path: "site").path
        try Datasite.create(at: site)
        let datasite = try Datasite(path: site)
        _ = try datasite.addUser("benchmark", role: .researcher)
        let (wall, cpu) = (wallSeconds(), processorSeconds())
        _ = try datasite.addDataset(file: file, manifestText: manifest)
        let seconds = wallSeconds() - wall
        report(
            "ingest_csv",
            [
                ("bytes", Double(bytes)), ("wall_s", seconds), ("cpu_s", processorSeconds() - cpu),
                ("mb_per_s", Double(bytes) / 1e6 / seconds), ("peak_mb", peakMegabytes()),
            ])
        let process = Process()
        process.executableURL = URL(filePath: CommandLine.arguments[0])
        process.arguments = ["groupby-ask", site]
        try process.run()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else { throw CocoaError(.executableLoad) }
    }

    func ask() async throws {
        var cpu: [Double] = []
        var released: [Double] = []
        var answers: [Answer] = []
        let owner = Identity(name: "benchmark", role: .researcher)
        let datasite = try Datasite(path: site)
        for _ in 0..<Self.runs {
            // Epsilon 1 at delta 1e-7 for each question: rho by the exact curve of the Gaussian at 5e-8, and 5e-8 for
            // the selection of keys.
            let request = AskRequest(
                dataset: "grouped", sql: "SELECT g, COUNT(*), SUM(v), AVG(v) FROM grouped GROUP BY g", rho: Self.rho,
                selectionDelta: 5e-8)
            let start = processorSeconds()
            guard case .released(let bytes, _) = try await datasite.ask(request, as: owner, idempotencyKey: nil) else {
                continue
            }
            cpu.append(processorSeconds() - start)
            let answer = try JSONDecoder().decode(Answer.self, from: Data(bytes))
            released.append(Double(answer.rows.count))
            answers.append(answer)
        }
        let peak = peakMegabytes()
        let truth = table.truth()
        let large = (0..<GroupedTable.groups).sorted { truth.counts[$0] > truth.counts[$1] }
        var figures: [(String, Double)] = [
            ("cpu_s", median(cpu)), ("peak_mb", peak), ("released", median(released)),
        ]
        for size in [184, 290] {
            let errors = answers.map { relativeErrors($0, truth, Set(large.prefix(size))) }
            for (index, name) in ["count", "sum", "mean"].enumerated() {
                figures.append(("median_relative_error_\(name)_\(size)", median(errors.map { median($0[index]) })))
            }
        }
        report("groupby", figures)
    }

    private func relativeErrors(_ answer: Answer, _ truth: GroupedTable.Truth, _ groups: Set<Int>) -> [[Double]] {
        var errors: [[Double]] = [[], [], []]
        for row in answer.rows {
            guard case .integer(let key) = row[0].value, groups.contains(Int(key)) else { continue }
            let count = Double(truth.counts[Int(key)])
            let exact = [count, truth.sums[Int(key)], truth.sums[Int(key)] / count]
            for index in 0..<3 {
                guard let value = Self.number(row[index + 1].value) else { continue }
                errors[index].append(abs(value - exact[index]) / exact[index])
            }
        }
        return errors
    }

    private static func number(_ scalar: Scalar) -> Double? {
        switch scalar {
        case .integer(let value): Double(value)
        case .real(let value): value
        default: nil
        }
    }
}
