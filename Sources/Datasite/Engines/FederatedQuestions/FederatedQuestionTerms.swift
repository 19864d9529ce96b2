import DatasiteProtocol
import DifferentialPrivacy
import Federation
import Foundation
import Governance
import Query
import Tables

/// What a question to several sites comes to at this one: from question, manifest and policy alone.
struct FederatedQuestionTerms: Sendable {
    let request: FederatedQuestion
    let entry: Catalogue.Entry
    let regime: LossRegime
    /// With whom, and what this site's policy says of it.
    let rounds: AllowedRounds
    let joint: JointPlan
    /// What all sites do.
    let plan: FederatedPlan
    /// What the question reads, as the manifest declares it.
    let inputs: [String]

    /// A sum of more integers is refused: each is masked, kept and sent several times.
    static let mostEntries = 1 << 18

    /// - Parameter site: This site's public key.
    init(_ request: FederatedQuestion, site: Data, in catalogue: Catalogue) throws {
        self.request = request
        let question = request.question
        guard let entry = catalogue.datasets[question.dataset] else { throw catalogue.absent(question.dataset) }
        guard let policy = entry.policy, !entry.isLookup else {
            throw Problem.invalidQuestion("\(question.dataset) is a public lookup table: nobody's privacy is in it")
        }
        (self.entry, regime) = (entry, policy.regime)
        let rule = policy.rule(
            for: FederatedAnswerWork.engine, isAllowedUnlessSaid: FederatedAnswerWork.isAllowedUnlessSaid)
        rounds = try AllowedRounds(
            request.invitation, at: site, rule: rule?.federation, what: "\(entry.manifest.name) is not asked together",
            engine: FederatedAnswerWork.engine)
        guard request.rows >= entry.manifest.capacityRows else {
            throw Problem.invalidRequest(
                "'rows' is \(request.rows), less than the \(entry.manifest.capacityRows) that this site alone declares",
                hint: "as many as all sites declare together")
        }
        joint = try Self.joint(request, entry, policy, parties: rounds.roster.count)
        guard joint.length <= Self.mostEntries else {
            throw Problem.invalidQuestion(
                "the sites would add up \(joint.length) numbers, and a question to several has at most \(Self.mostEntries)",
                hint: "group by fewer values, or ask for fewer aggregates and bins at once")
        }
        inputs = Self.inputs(joint, entry)
        plan = FederatedPlan(
            question: entry.manifest.name, participants: rounds.roster.count, colluders: request.colluders,
            length: joint.length,
            work: AllowedRounds.digest("parley federated question 1\n", of: [question.sql, joint.agreement] + inputs),
            leastSeconds: request.phaseSeconds)
        do throws(FederationError) { try plan.check(participants: rounds.roster.count) } catch {
            throw Problem.invalidRequest("\(error)")
        }
        try rounds.check(plan)
    }

    private static func joint(
        _ request: FederatedQuestion, _ entry: Catalogue.Entry, _ policy: Policy, parties: Int
    ) throws -> JointPlan {
        let asked = request.question
        let context = PlanningContext(
            datasets: [entry.description], regime: policy.regime, allowed: policy.allowedAggregates)
        let question = Question(
            sql: asked.sql, budget: asked.budget, groupsPerUnit: asked.groupsPerUnit, rowsPerGroup: asked.rowsPerGroup,
            boundingShares: asked.boundingShares != false, isSimultaneous: asked.simultaneous)
        let sharing = NoiseSharing(parties: parties, colluders: request.colluders, capacityRows: request.rows)
        do { return try Planner.plan(question, in: context, sharing: sharing) } catch {
            throw Problem.invalidQuestion(error.message, hint: error.hint, position: error.position)
        }
    }

    /// What the question reads, and what of a unit counts, a line each.
    private static func inputs(_ joint: JointPlan, _ entry: Catalogue.Entry) -> [String] {
        let (schema, unit) = (entry.manifest.schema, entry.manifest.unit)
        let columns = joint.usedColumns.filter(schema.columns.indices.contains).map { schema.columns[$0].declared }
        var bounds = ["at most \(unit.rowsPerUnit) rows of a unit", "in at most \(unit.groupsPerUnit) groups"]
        if let rows = unit.rowsPerGroup { bounds.append("at most \(rows) rows of a unit in a group") }
        return columns + bounds
    }

    /// - Parameter slot: When what is made of the rows leaves.
    func agreed(slot: TimeSlot) -> FederatedQuestionAgreement {
        FederatedQuestionAgreement(plan: plan, inputs: inputs, rho: joint.rho, seconds: slot.length / .seconds(1))
    }

    /// Of whom the promise is, and against whom.
    var promise: String {
        let told = max(1, request.colluders)
        return
            "The sum of \(rounds.roster.count) sites alone is opened, with a share of the noise from each, at \(request.invitation.coordinator). What is charged holds "
            + "against everybody, and against \(told) of the sites in league with the coordinator. That the sum is right, nobody but the coordinator answers for: a site's receipt "
            + "vouches for its own part, and for what follows from the sum."
    }
}
