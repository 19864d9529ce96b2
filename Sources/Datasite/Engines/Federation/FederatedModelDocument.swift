import DatasiteProtocol
import DifferentialPrivacy
public import Federation
import Foundation
import Governance
import Learning
import Tables

/// What all sites of a run must agree on before it begins: each says it of itself, from its own manifest, and a run of sites that say different things never
/// opens a sum.
public struct FederatedAgreement: Sendable, Hashable, Codable {
    /// What is done; its digest binds all messages.
    public var plan: FederatedPlan
    /// The layers whose weights come out: JSON.
    public var architecture: String
    /// What goes in and what is learned, as the site's manifest declares it, a line each.
    public var inputs: [String]
    /// With noise: epsilon over all rounds that may be begun, at the plan's delta or the site's.
    public var epsilon: Double?
}

/// What leaves of a run at one site: the model, what is promised of it, and what people should know.
struct FederatedModelDocument {
    private let terms: FederatedTerms
    private let release: Release<RoundsSession.Result>
    private let releaseTerms: ReleaseTerms

    init(_ terms: FederatedTerms, _ release: Release<RoundsSession.Result>, _ releaseTerms: ReleaseTerms) {
        (self.terms, self.release, self.releaseTerms) = (terms, release, releaseTerms)
    }

    func message() throws -> ReleasedModel {
        let parameters = try terms.model.parameters(
            FederatedTerms.shapes(of: terms.model), trained: release.answer.model.weights)
        return ReleasedModel(
            request: release.request, dataset: terms.task.entry.manifest.name, version: terms.task.entry.version,
            plan: terms.request.plan, charge: releaseTerms.charge, privacy: privacy, federation: federation,
            architecture: String(decoding: Architecture.json(terms.model), as: UTF8.self),
            weights: Data(SafeTensors.write(parameters)).base64EncodedString(), curve: [], card: card,
            notes: terms.limits + releaseTerms.timeNotes, guarantees: releaseTerms.guarantees, nonce: Nonce.new())
    }

    private var privacy: ReleasedModel.Privacy? {
        guard let noise = terms.plan.noise else { return nil }
        let unit = terms.task.entry.manifest.unit
        return ReleasedModel.Privacy(
            unit: terms.task.entry.unitWords, rowsPerUnit: unit.rowsPerUnit, epsilon: nil,
            chargedEpsilon: terms.epsilon(after: terms.attempts) ?? .greatestFiniteMagnitude,
            delta: terms.task.policy.regime.conversionDelta, noiseMultiplier: noise.noiseMultiplier,
            clippingNorm: noise.clippingNorm, isAdaptive: false, samplingRate: noise.samplingRate,
            steps: terms.attempts)
    }

    private var federation: ReleasedModel.Federation {
        ReleasedModel.Federation(
            run: terms.request.invitation.run, sites: terms.request.invitation.sites, place: terms.rounds.index,
            coordinator: terms.request.invitation.coordinator, coordinatorKey: terms.request.invitation.coordinatorKey,
            planDigest: hexadecimal(terms.plan.digest), aggregation: terms.plan.aggregation.way.rawValue,
            rounds: terms.plan.rounds, contributions: release.answer.contributions, spareRounds: terms.plan.spareRounds,
            least: terms.plan.least,
            colluders: terms.colluders)
    }

    // MARK: The card

    private var card: String {
        let document = terms.task.document
        let head = document.description.isEmpty ? "# \(document.name)" : "# \(document.name)\n\n\(document.description)"
        let parts = [head, "## Privacy\n\n" + terms.promise, sites, data, layers, measures]
        return parts.joined(separator: "\n\n") + "\n"
    }

    private var sites: String {
        let keys = terms.request.invitation.sites.enumerated().map { place, key in
            "| \(place + 1) | `\(key)`\(place == terms.rounds.index ? " (this one)" : "") |"
        }
        return """
            ## Sites

            Trained together with \(terms.rounds.roster.count - 1) other sites, coordinated at `\(terms.request.invitation.coordinator)`: \(terms.plan.rounds) rounds of \
            \(terms.plan.strategy.kind.rawValue), \(terms.plan.aggregation.way.words). Its update is in \(release.answer.contributions) of their sums. What this receipt signs is this site's part; the others sign theirs.

            | place | key |
            |---|---|
            \(keys.joined(separator: "\n"))
            """
    }

    private var data: String {
        """
        ## Data

        The dataset `\(terms.task.entry.manifest.name)` of this site, version `\(terms.task.entry.version)`.

        | column | as | values | what |
        |---|---|---|---|
        \(terms.task.inputWords.joined(separator: "\n"))
        """
    }

    private var layers: String {
        let lines = ((try? terms.model.summary()) ?? []).map {
            "| \($0.name) | \($0.kind) | \($0.shape.map(String.init).joined(separator: "x")) | \($0.parameters) |"
        }
        return """
            ## Model

            Rows of \(terms.model.inputShape.map(String.init).joined(separator: "x")) go in; \(terms.model.trainableCount) values were trained.

            | layer | kind | a row behind it | parameters |
            |---|---|---|---|
            \(lines.joined(separator: "\n"))
            """
    }

    private var measures: String {
        """
        ## Metrics

        None were measured here: numbers on rows that were trained on, or on others of these people, would have been charged. Measure the model \
        on rows of your own.
        """
    }
}

extension FederatedTerms {
    var colluders: Int? {
        switch plan.aggregation {
        case .plain: nil
        case .masked(_, let colluders), .distributedNoise(_, let colluders): max(colluders, 1)
        }
    }

    /// What is promised, and to whom it is not.
    var promise: String {
        let people = "`\(task.entry.unitWords)` of \(task.entry.manifest.population)"
        switch plan.aggregation {
        case .plain:
            return "None: each update was seen by the coordinator, and updates may show rows."
        case .masked(let threshold, _):
            return """
                No epsilon: the coordinator and the other sites saw sums of updates of at least \(threshold) sites, and the model. These hide whose rows they \
                follow from, not what is in the rows.
                """
        case .distributedNoise(let threshold, _):
            guard let noise = plan.noise else { return "" }
            let epsilon =
                epsilon(after: attempts).map { ShortNumber.text(($0 * 1e3).rounded(.up) / 1e3) } ?? "beyond any"
            return """
                Differentially private for each \(people): epsilon \(epsilon) by the Rényi curve that was charged, at delta \
                \(ShortNumber.text(task.policy.regime.conversionDelta)), for one unit added or removed, of whose rows at most \
                \(task.entry.manifest.unit.rowsPerUnit) were used. It holds against everybody who sees the model, against the coordinator, and against \
                \(max(colluders ?? 1, 1)) of the sites in league with it.

                \(attempts) rounds are charged, spare ones too. In each, every unit was drawn with probability \(ShortNumber.text(noise.samplingRate)) (Poisson), its \
                gradient was clipped to a norm of \(ShortNumber.text(noise.clippingNorm)), and each site added its share of Skellam noise: \
                \(ShortNumber.text(noise.noiseMultiplier)) times the sensitivity without the shares of those in league. Nothing was opened of fewer than \
                \(max(threshold, plan.least)) sites.

                **Who has rows at m sites is protected by m squared times the divergence**: the promise is to a person at one of them.
                """
        }
    }

    var limits: [String] {
        ["Rows without a label were left out; a missing number counts as its bounds' middle, or as the plan says."]
            + (plan.noise == nil
                ? [] : ["A person with rows at m of the sites is protected by m squared times the divergence."])
    }

    /// What is known before it is asked for.
    var notes: [String] {
        let words =
            "\(plan.rounds) rounds of \(plan.strategy.kind.rawValue) and \(plan.spareRounds) spare ones, each charged; void below \(plan.least) sites; "
            + "\(plan.aggregation.way.words), coordinated at \(request.invitation.coordinator)."
        return [
            rounds.words, words,
            promise.replacing("\n\n", with: " ").replacing("\n", with: " ").replacing("**", with: ""),
        ]
    }

    var agreed: FederatedAgreement {
        FederatedAgreement(
            plan: plan, architecture: String(decoding: Architecture.json(model), as: UTF8.self),
            inputs: task.agreement + ["at most \(task.entry.manifest.unit.rowsPerUnit) rows of a unit"],
            epsilon: epsilon)
    }
}
