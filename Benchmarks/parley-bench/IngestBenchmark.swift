import Datasite
import Foundation

/// A file of numbers on its way into the catalogue: from open to visible, clustered and synchronised to the disk.
struct IngestBenchmark {
    let workplace: Workplace
    static let runs = 5
    /// Copies of the table, each with units of its own, that make more than 10 GB.
    static let copies = 64
    static let freeBytes = 25_000_000_000

    init(_ workplace: Workplace) { self.workplace = workplace }

    /// The median of some runs, each in a fresh process.
    func run() throws {
        let table = GroupedTable.benchmark
        let file = workplace.path("table.csv")
        let bytes = try table.write(to: file)
        defer { try? FileManager.default.removeItem(atPath: file) }
        let loop = try workplace.loop("sum", file)
        let measured = try (0..<Self.runs).map { run in
            try measure("site-\(run)", file, rows: table.rows, units: table.units)
        }
        report("ingest_csv", bytes: bytes, measured, loop: loop?.wall)
    }

    func runSpill() throws {
        guard workplace.freeBytes >= Self.freeBytes else {
            reportSkipped("ingest_spill", "needs 25 GB of free space in \(workplace.folder.path)")
            return
        }
        let table = GroupedTable.benchmark
        let file = workplace.path("large.csv")
        let bytes = try table.write(to: file, copies: Self.copies)
        defer { try? FileManager.default.removeItem(atPath: file) }
        let measured = try measure("large", file, rows: table.rows * Self.copies, units: table.units * Self.copies)
        report("ingest_spill", bytes: bytes, [measured], loop: try workplace.loop("sum", file)?.wall)
    }

    private func measure(_ site: String, _ file: String, rows: Int, units: Int) throws -> [Double] {
        let site = workplace.path(site)
        defer { try? FileManager.default.removeItem(atPath: site) }
        return try workplace.child("ingest", site, file, String(rows), String(units))
            .split(whereSeparator: \.isWhitespace)
            .compactMap { Double($0) }
    }

    private func report(_ name: String, bytes: Int, _ measured: [[Double]], loop: Double?) {
        func column(_ index: Int) -> Double { median(measured.compactMap { $0.count > index ? $0[index] : nil }) }
        parley_bench.report(
            name,
            [
                ("bytes", Double(bytes)), ("runs", Double(measured.count)), ("wall_s", column(0)), ("cpu_s", column(1)),
                ("mb_per_s", Double(bytes) / 1e6 / column(0)), ("peak_mb", column(2)),
                ("times_c_loop", column(0) / (loop ?? .nan)),
            ])
    }

    /// Adds the file to a new site; prints wall seconds, CPU seconds and peak megabytes.
    static func child(site: String, file: String, rows: Int, units: Int) throws {
        try Datasite.create(at: site)
        let datasite = try Datasite(path: site)
        let (wall, cpu) = (wallSeconds(), processorSeconds())
        _ = try datasite.addDataset(file: file, manifestText: GroupedTable.manifest(rows: rows, units: units))
        print(wallSeconds() - wall, processorSeconds() - cpu, peakMegabytes())
    }
}
