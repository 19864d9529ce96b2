import Datasite
import DatasiteProtocol
import Foundation

/// One question after the other on the demonstration table, in this process: planned, reserved on the disk, computed,
/// stored on the disk. The datasite's own time is what it took without waiting for the answer's time slot.
struct AskBenchmark {
    let workplace: Workplace
    static let runs = 200

    init(_ workplace: Workplace) { self.workplace = workplace }

    func run() async throws {
        try await run("ask", isRenyi: false)
        try await run("ask_renyi", isRenyi: true)
    }

    private func run(_ name: String, isRenyi: Bool) async throws {
        let site = try DemonstrationSite(workplace, name: name, isRenyi: isRenyi)
        defer { try? FileManager.default.removeItem(atPath: site.path) }
        let datasite = try Datasite(path: site.path)
        let researcher = Identity(name: DemonstrationSite.researcher, role: .researcher)
        let request = AskRequest(
            dataset: "randhie", sql: DemonstrationSite.question, budget: .rho(DemonstrationSite.rho))
        var own: [Double] = []
        var whole: [Double] = []
        let cpu = processorSeconds()
        for _ in 0..<Self.runs {
            let (start, waited) = (wallSeconds(), datasite.statistics().slotWaits)
            guard case .released = try await datasite.ask(request, as: researcher) else {
                throw BenchmarkError(reason: "the question waits for its owner")
            }
            let seconds = wallSeconds() - start
            whole.append(seconds * 1000)
            own.append((seconds - (datasite.statistics().slotWaits - waited) / .seconds(1)) * 1000)
        }
        report(
            name,
            [
                ("server_ms", median(own)), ("with_slot_ms", median(whole)),
                ("cpu_ms", (processorSeconds() - cpu) * 1000 / Double(Self.runs)), ("runs", Double(Self.runs)),
                ("disk_sync_ms", try syncMilliseconds(workplace)),
            ])
    }
}
