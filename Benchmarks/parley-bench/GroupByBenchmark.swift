import Datasite
import DatasiteProtocol
import Foundation

/// Count, sum and mean by an unknown key, through the datasite: from `ask` to its stored release.
struct GroupByBenchmark {
    let workplace: Workplace
    static let runs = 20
    static let rho = 0.0216

    init(_ workplace: Workplace) { self.workplace = workplace }

    /// Makes the table, adds it, and asks in a process of its own, so that memory is the asking's alone.
    func run() throws {
        let table = GroupedTable.benchmark
        let (file, site) = (workplace.path("grouped.csv"), workplace.path("grouped"))
        defer { for path in [file, site] { try? FileManager.default.removeItem(atPath: path) } }
        _ = try table.write(to: file)
        try Datasite.create(at: site)
        let datasite = try Datasite(path: site)
        _ = try datasite.addUser("benchmark", role: .researcher)
        let manifest = GroupedTable.manifest(rows: table.rows, units: table.units)
        let version = try datasite.addDataset(file: file, manifestText: manifest).version
        let columns = "\(site)/data/\(version)/column-"
        let loop = try workplace.loop("group", columns + "1", columns + "2")?.cpu
        FileHandle.standardOutput.write(Data(try workplace.child("groupby", site, "\(loop ?? .nan)").utf8))
    }

    static func child(site: String, loop: Double) async throws {
        let table = GroupedTable.benchmark
        var cpu: [Double] = []
        var wall: [Double] = []
        var released: [Double] = []
        var answers: [Answer] = []
        let owner = Identity(name: "benchmark", role: .researcher)
        let datasite = try Datasite(path: site)
        for _ in 0..<runs {
            // Epsilon 1 at delta 1e-7 for each question: rho by the exact curve of the Gaussian at 5e-8, and 5e-8 for
            // the selection of keys.
            let request = AskRequest(
                dataset: "grouped", sql: "SELECT g, COUNT(*), SUM(v), AVG(v) FROM grouped GROUP BY g",
                budget: .rho(rho),
                selectionDelta: 5e-8)
            let (start, asked) = (processorSeconds(), wallSeconds())
            guard case .released(let bytes, _) = try await datasite.ask(request, as: owner, idempotencyKey: nil) else {
                continue
            }
            cpu.append(processorSeconds() - start)
            wall.append(wallSeconds() - asked)
            let answer = try JSONDecoder().decode(Answer.self, from: Data(bytes))
            released.append(Double(answer.rows.count))
            answers.append(answer)
        }
        let peak = peakMegabytes()
        let truth = table.truth()
        let large = (0..<GroupedTable.groups).sorted { truth.counts[$0] > truth.counts[$1] }
        var figures: [(String, Double)] = [
            ("cpu_s", median(cpu)), ("with_slot_s", median(wall)), ("times_c_loop", median(cpu) / loop),
            ("peak_mb", peak),
            ("released", median(released)),
        ]
        for size in [184, 290] {
            let errors = answers.map { relativeErrors($0, truth, Set(large.prefix(size))) }
            for (index, name) in ["count", "sum", "mean"].enumerated() {
                figures.append(("median_relative_error_\(name)_\(size)", median(errors.map { median($0[index]) })))
            }
        }
        report("groupby", figures)
    }

    private static func relativeErrors(_ answer: Answer, _ truth: GroupedTable.Truth, _ groups: Set<Int>) -> [[Double]]
    {
        var errors: [[Double]] = [[], [], []]
        for row in answer.rows {
            guard case .integer(let key) = row[0].value, groups.contains(Int(key)) else { continue }
            let count = Double(truth.counts[Int(key)])
            let exact = [count, truth.sums[Int(key)], truth.sums[Int(key)] / count]
            for index in 0..<3 {
                guard let value = number(row[index + 1].value) else { continue }
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
