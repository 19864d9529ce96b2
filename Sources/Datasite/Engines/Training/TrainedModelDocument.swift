import DatasiteProtocol
import DifferentialPrivacy
import Foundation
import Governance
import Learning
import Tables

/// What leaves of a training run: the model, what is promised of it, and what people should know.
struct TrainedModelDocument {
    private let terms: TrainingTerms
    private let release: Release<TrainedModel>
    private let releaseTerms: ReleaseTerms

    init(_ terms: TrainingTerms, _ release: Release<TrainedModel>, _ releaseTerms: ReleaseTerms) {
        (self.terms, self.release, self.releaseTerms) = (terms, release, releaseTerms)
    }

    var message: ReleasedModel {
        ReleasedModel(
            request: release.request, dataset: terms.entry.manifest.name, version: terms.entry.version,
            plan: terms.planText, charge: releaseTerms.charge, privacy: privacy,
            architecture: String(decoding: Architecture.json(terms.plan.model), as: UTF8.self),
            weights: Data(SafeTensors.write(release.answer.parameters)).base64EncodedString(), curve: curve,
            card: card, notes: terms.limits + releaseTerms.timeNotes, guarantees: releaseTerms.guarantees,
            nonce: Nonce.new())
    }

    private var privacy: ReleasedModel.Privacy {
        let (promise, unit) = (terms.privacy, terms.entry.manifest.unit)
        return ReleasedModel.Privacy(
            unit: terms.entry.unitWords, rowsPerUnit: unit.rowsPerUnit, epsilon: terms.reportedEpsilon(),
            chargedEpsilon: terms.epsilon(after: promise.steps) ?? .greatestFiniteMagnitude,
            delta: terms.policy.regime.conversionDelta, noiseMultiplier: promise.noiseMultiplier,
            clippingNorm: promise.clipping.first, isAdaptive: terms.document.privacy?.isAdaptive == true,
            samplingRate: promise.samplingRate,
            steps: promise.steps)
    }

    private var curve: [ReleasedModel.Point] {
        release.answer.curve.points.map { point in
            ReleasedModel.Point(
                step: point.step, epsilon: terms.epsilon(after: point.step), clippingNorm: point.clippingNorm,
                gradientNorm: point.gradientNorm)
        }
    }

    // MARK: The card

    private var card: String {
        let document = terms.document
        let head = document.description.isEmpty ? "# \(document.name)" : "# \(document.name)\n\n\(document.description)"
        return [head, promise, data, layers, steps, measures].joined(separator: "\n\n") + "\n"
    }

    private var promise: String {
        let privacy = privacy
        func text(_ epsilon: Double) -> String { ShortNumber.text((epsilon * 1e3).rounded(.up) / 1e3) }
        let charged = "\(text(privacy.chargedEpsilon)) by the Rényi curve that was charged"
        let epsilon = privacy.epsilon.map { "\(text($0)) by privacy loss distributions (\(charged))" } ?? charged
        return """
            ## Privacy

            Differentially private for each `\(privacy.unit)` of \(terms.entry.manifest.population): epsilon \(epsilon), at delta \
            \(ShortNumber.text(privacy.delta)), for one unit added or removed, of whose rows at most \(privacy.rowsPerUnit) were used.

            \(privacy.steps) steps. In each, every unit was drawn with probability \(ShortNumber.text(privacy.samplingRate)) (Poisson), its whole \
            gradient was clipped to a norm of \(ShortNumber.text(privacy.clippingNorm))\(privacy.isAdaptive ? " at first, and then as noisy counts said" : ""), \
            and discrete Gaussian noise of \(ShortNumber.text(privacy.noiseMultiplier)) times the sensitivity was added to the sum. Whatever is \
            computed from the weights keeps the promise.\(audit)
            """
    }

    private var audit: String {
        guard terms.canaries > 0 else { return "" }
        return
            "\n\nAudited before it left: \(terms.canaries) made-up units could have been trained on beside the table's, and a guess from the weights at which "
            + "of them were showed no more than the epsilon that is claimed, at confidence 0.999 (Steinke, Nasr and Jagielski 2023)."
    }

    private var data: String {
        """
        ## Data

        The dataset `\(terms.entry.manifest.name)`, version `\(terms.entry.version)`.

        | column | as | values | what |
        |---|---|---|---|
        \(terms.task.inputWords.joined(separator: "\n"))
        """
    }

    private var layers: String {
        let lines = ((try? terms.plan.model.summary()) ?? []).map {
            "| \($0.name) | \($0.kind) | \($0.shape.map(String.init).joined(separator: "x")) | \($0.parameters) |"
        }
        return """
            ## Model

            Rows of \(terms.plan.model.inputShape.map(String.init).joined(separator: "x")) go in; \(terms.plan.model.trainableCount) values were \
            trained.

            | layer | kind | a row behind it | parameters |
            |---|---|---|---|
            \(lines.joined(separator: "\n"))
            """
    }

    private var steps: String {
        """
        ## Training

        Loss \(terms.document.loss.rawValue); \(ShortNumber.text(terms.privacy.expectedUnits)) units a step if there are \
        \(terms.privacy.capacity). The plan is in `plan.yaml`.
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

extension TrainingTerms {
    /// What the numbers do not say.
    var limits: [String] {
        ["Rows without a label were left out; a missing number counts as its bounds' middle, or as the plan says."]
    }

    /// What is known before it is asked for.
    func notes(slot: Duration) throws -> [String] {
        let delta = ShortNumber.text(policy.regime.conversionDelta)
        let coverage = privacy.samplingRate * Double(document.stepsPerEpoch(privacy.capacity))
        let reported =
            reportedEpsilon().map {
                "\(ShortNumber.text(($0 * 1e3).rounded(.up) / 1e3)) by privacy loss distributions, "
            } ?? ""
        let charged = epsilon(after: plan.steps).map { ShortNumber.text(($0 * 1e3).rounded(.up) / 1e3) } ?? "beyond any"
        return [
            "\(plan.steps) steps; in each, every \(entry.unitWords) is drawn with probability \(ShortNumber.text(privacy.samplingRate)): about "
                + "\(ShortNumber.text(privacy.expectedUnits)) of \(privacy.capacity). An epoch draws each \(ShortNumber.text(coverage)) times on average.",
            "Noise multiplier \(ShortNumber.text(privacy.noiseMultiplier)), clipping norm \(ShortNumber.text(privacy.clipping.first)), "
                + "\(plan.model.trainableCount) values trained.",
            "Epsilon over all steps, at delta \(delta): \(reported)\(charged) by the Rényi curve that is charged.",
            "The model comes \(AnswerTime.words(slot)) after training begins, however soon it is done: the time follows the declared capacity, not the rows.",
        ]
    }
}
