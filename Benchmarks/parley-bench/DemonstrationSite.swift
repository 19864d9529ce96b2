import Datasite
import DatasiteProtocol
import Foundation

/// The demonstration's table on a site of its own, with a budget that no benchmark exhausts.
struct DemonstrationSite {
    static let researcher = "benchmark"
    static let question = "SELECT coins, COUNT(*), AVG(mdvis) FROM randhie GROUP BY coins"
    /// What a question may cost.
    static let rho = 1e-4

    let path: String
    let token: String

    /// - Parameter isRenyi: Whether losses are counted as Rényi divergences, not as rhos.
    init(_ workplace: Workplace, name: String, isRenyi: Bool = false) throws {
        path = workplace.path(name)
        let examples = Workplace.repository.appending(path: "Examples/randhie")
        var manifest = try String(contentsOf: examples.appending(path: "manifest.yaml"), encoding: .utf8)
        let limit = isRenyi ? "{epsilon: 1000}" : "{rho: 100000}"
        for (declared, larger) in [
            ("loss: zcdp", isRenyi ? "loss: renyi" : "loss: zcdp"),
            // Asked far more often than the usual least charge of a whole budget allows.
            ("total: {epsilon: 8}", "total: \(limit)\n  least-share: 1e-9"),
            ("per-researcher: {epsilon: 3}", "per-researcher: \(limit)"),
        ] {
            guard manifest.contains(declared) else { throw BenchmarkError(reason: "the manifest has no \(declared)") }
            manifest = manifest.replacing(declared, with: larger)
        }
        try Datasite.create(at: path)
        let datasite = try Datasite(path: path)
        token = try datasite.addUser(Self.researcher, role: .researcher)
        _ = try datasite.addDataset(
            file: examples.appending(path: "randhie.csv.gz").path, manifestText: manifest)
    }
}
