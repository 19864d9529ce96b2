import Datasite
import DatasiteClient
import DatasiteProtocol
import DatasiteServer
import Federation
import Foundation
import Learning
import Synchronization

/// Training together that is coordinated by this process, and what is written of it.
struct RunningTraining: Sendable {
    private let rounds: RunningRounds<FederatedRequest>
    private let rows: HeldOutRows?
    private var coordination: Coordination<FederatedRequest> { rounds.coordination }

    init(_ coordination: Coordination<FederatedRequest>, _ rows: HeldOutRows?, _ purpose: String?) throws {
        self.rows = rows
        rounds = try RunningRounds(coordination, purpose, doing: "Training together")
    }

    func run(_ configuration: DatasiteServerConfiguration, patience: Double) async throws {
        if let agreement = coordination.agreement { try check(agreement) }
        var curve = RoundCurve()
        let (last, asked) = try await rounds.conduct(configuration, patience: patience) {
            try take($0, &curve)
        }
        guard last.phase == .finished else {
            throw Failure(
                "The run ended after \(last.round) of \(last.rounds) rounds: \(PrintableText.escape(last.events.last?.words ?? "no more may be begun")).",
                next: "What was charged stays charged. More `spare-rounds`, or a smaller `least`, bear more drop-outs.")
        }
        try await finish(asked, last, curve)
    }

    /// What would be found out only when sites are charged.
    private func check(_ agreement: FederatedAgreement) throws {
        guard let rows else { return }
        let beginning = try coordination.request.beginning(agreement).weights
        do { _ = try rows.measure(beginning) } catch let problem as Problem {
            throw Failure(
                "The plan to measure by has another model: \(PrintableText.escape(problem.detail))",
                next: "--measure names a plan on files with the same `model`, and rows of the same shape.")
        }
    }

    private func take(_ now: CoordinatorRun.Progress, _ curve: inout RoundCurve) throws {
        guard now.phase != .waiting else { return }
        var words = "round \(now.round) of \(now.rounds)"
        if now.round > curve.points.last?.round ?? 0 {
            let point = RoundCurve.Point(
                round: now.round, attempts: now.attempts, seconds: now.seconds,
                epsilon: coordination.epsilon(after: now.phase == .finished ? now.attempts : now.attempts - 1),
                measured: try rows?.measure(now.average.values) ?? [])
            curve.points.append(point)
        }
        if let point = curve.points.last {
            words += point.measured.map {
                ", \($0.metric.rawValue) \($0.value.map { NumberText.significant($0) } ?? "none")"
            }
            .joined()
            words += point.epsilon.map { ", epsilon \(NumberText.significant($0)) at each site" } ?? ""
        }
        rounds.progress.update(Double(now.round) / Double(max(now.rounds, 1)), doing: words)
        if let point = curve.points.last, point.round == now.round, now.round % max(1, now.rounds / 10) == 0 {
            rounds.say(words, once: now.round)
        }
    }

    // MARK: the end

    private func finish(
        _ asked: [RunningRounds<FederatedRequest>.Asked], _ last: CoordinatorRun.Progress, _ curve: RoundCurve
    ) async throws {
        let terminal = Terminal.output
        // Of a run that was over before there is no curve here: what was written then stays.
        let isThere = FileManager.default.fileExists(atPath: coordination.path + "/weights.safetensors")
        let files = isThere ? [] : try coordination.write(last.average.values, curve, into: coordination.path)
        terminal.line("\(last.round) rounds, \(last.attempts - last.round) of those begun were void.")
        for metric in curve.points.last?.measured ?? [] {
            terminal.line("\(metric.metric.rawValue): \(metric.value.map { NumberText.significant($0) } ?? "none")")
        }
        var weights: Set<String> = []
        for (place, site) in coordination.sites.enumerated() {
            let released = try await rounds.released(asked[place], by: place)
            let model = try JSONDecoder().decode(ReleasedModel.self, from: Data(released.bytes))
            guard coordination.isReleased(model, by: place) else {
                throw Failure(
                    "What \(PrintableText.escape(site.name)) let out is not of this run.", next: "Tell its owner.")
            }
            weights.insert(model.weights)
            let folder = coordination.path + "/site-\(place + 1)"
            if !FileManager.default.fileExists(atPath: folder) {
                _ = try ReleasedModelFiles(at: folder).write(
                    model, bytes: released.bytes, receipt: released.receiptBytes)
            }
            try KeptReceipts().keep(.init(url: site.url, receipt: released.receipt, answer: released.bytes))
            terminal.line("\(PrintableText.escape(site.name)): \(Self.promise(model)); receipt verified, in \(folder)")
        }
        guard weights.count == 1 else {
            throw Failure(
                "The sites let out different models.", next: "One of them, or this coordinator, did not do its part.")
        }
        terminal.line("All sites came to the same model, to the bit.")
        terminal.line(
            "In \(PrintableText.escape(coordination.path)): \(files.isEmpty ? "as it was" : files.joined(separator: ", "))"
        )
    }

    private static func promise(_ model: ReleasedModel) -> String {
        guard let privacy = model.privacy else {
            return model.federation?.aggregation == "plain"
                ? "updates were seen, no epsilon" : "sums of updates were seen, no epsilon"
        }
        return
            "epsilon \(NumberText.significant(privacy.chargedEpsilon)) at delta \(NumberText.significant(privacy.delta)) for each \(PrintableText.escape(privacy.unit))"
    }
}
