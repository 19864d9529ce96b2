import Datasite
import DatasiteProtocol
import Foundation
import Learning
import Marketplace

/// The sponsor's datasite, which holds the rows that models are tested on: what it says of a model is noisy, charged and, while one works on it, as much as the Ladder tells.
struct MarketJudge {
    private let site: Datasite
    private let scientist: Identity
    /// Who has an account already.
    private static let referees = ["rae", "rex"]
    /// Each measurement's.
    static let epsilon = 0.5
    private static let manifest = """
        name: validation
        title: Chest X-rays of children
        description: One row is one image, 28x28 pixels (PneumoniaMNIST).
        population: validation-children
        unit: {column: patient, rows: 1, groups: 1}
        capacity: {rows: 2000}
        policy: \(policy())
        arrays:
          - {name: image, shape: [1, 28, 28], type: uint8, description: The image in shades of grey.}
        columns:
          - {name: patient, type: integer, nullable: false, bounds: [0, 100000], description: The patient's number.}
          - {name: pneumonia, type: integer, domain: [0, 1], description: What two readers agreed on.}
        """

    /// - Parameter openedRows: What it says of opening rows to referees; nothing before there is a task.
    private static func policy(openedRows: String = "") -> String {
        """
        {loss: renyi, delta: 1e-4, total: {epsilon: 8}, engines: {evaluation-feedback: {uses: 8, uses-per-researcher: 8, step: 0.005}, evaluation-final: {uses: 4, uses-per-researcher: 4}\(openedRows)}}
        """
    }

    init(at path: String, _ rows: MarketExamples.Rows) throws {
        try Datasite.create(at: path, name: "sue")
        let site = try Datasite(path: path)
        try rows.write(to: path + "-rows")
        let arrays = [("image", "images"), ("pneumonia", "labels"), ("patient", "patients")]
            .compactMap { ArrayFile("\($0.0)=\(path)-rows-\($0.1)") }
        let report = try site.addDataset(file: nil, arrays: arrays, manifestText: Self.manifest)
        guard report.rows == rows.labels.count else { throw Failure("The sponsor's datasite did not take all images.") }
        for name in ["market"] + Self.referees { _ = try site.addUser(name, role: .researcher) }
        (self.site, scientist) = (site, Identity(name: "market", role: .researcher))
    }

    /// What is sent of a model.
    static func request(_ weights: [Float], of proposal: MarketProposal) throws -> EvaluationRequest {
        let model = proposal.model
        return EvaluationRequest(
            data: EvaluationRequest.data(dataset: "validation", features: ["image"], label: "pneumonia"),
            model: String(decoding: Architecture.json(model), as: UTF8.self),
            weights: SafeTensors.write(try model.parameters(proposal.frozen, trained: weights)),
            budget: .epsilon(epsilon))
    }

    private func measured(
        _ weights: [Float], of proposal: MarketProposal, _ part: EvaluationRequest.Part
    ) async throws -> ReleasedEvaluation {
        let request = try Self.request(weights, of: proposal)
        guard case .released(let answer, _) = try await site.evaluate(request, part: part, as: scientist) else {
            throw Failure("The sponsor's datasite waits for an approval.")
        }
        return try JSONDecoder().decode(ReleasedEvaluation.self, from: Data(answer))
    }

    /// What the Ladder tells of a model; nil: no more than before.
    func feedback(_ weights: [Float], of proposal: MarketProposal) async throws -> Double? {
        guard let told = try await measured(weights, of: proposal, .feedback).feedback else {
            throw Failure("The sponsor's datasite gave no feedback.")
        }
        return told.isImproved ? told.best : nil
    }

    /// A model's noisy share of right answers on the other half, its standard error, and the part of it that is the noise's.
    func final(
        _ weights: [Float], of proposal: MarketProposal
    ) async throws -> (share: Double, error: Double, noise: Double) {
        guard let told = try await measured(weights, of: proposal, .final).final, let share = told.share,
            let error = told.standardError, let noise = told.noiseError
        else { throw Failure("The sponsor's datasite gave no final score.") }
        return (share, error, noise)
    }

    // MARK: Opening rows

    /// The sponsor binds herself to the images and labels that finals are measured on, and says in her policy who may be shown some of them, where she approves: the referees of this market.
    ///
    /// - Returns: What her task's terms hold.
    func commit(in market: MarketDesk, as sponsor: PartyName, referees: [PartyName]) throws -> Digest256 {
        let made = try site.commitValidation(of: "validation", columns: ["image", "pneumonia"], as: .localOwner)
        guard let key = market.market.keys[sponsor] else { throw Failure("\(sponsor) has no key.") }
        let rule = """
            , opened-rows: {market: \(market.name), operator: \(market.operatorKey), sponsor: \(key), referees: [\(referees.map(\.text).joined(separator: ", "))], columns: [\(made.columns.joined(separator: ", "))], rows: 400, version: \(made.version), commitment: \(made.commitment), uses: 3}
            """
        try site.setPolicy(of: "validation", policyText: Self.policy(openedRows: rule))
        return made.commitment
    }

    /// A referee asks for rows, the sponsor approves, and the referee has them.
    func opened(_ proof: DrawProof, to referee: PartyName) async throws -> ReleasedRows {
        let identity = Identity(name: referee.text, role: .researcher)
        let asked = try await site.openRows(
            OpenedRowsRequest(dataset: "validation", proof: proof), as: identity, purpose: "a dispute")
        guard case .pending(let waiting) = asked else { throw Failure("Rows were opened that nobody approved.") }
        _ = try await site.approve(waiting.id, by: .localOwner)
        return try JSONDecoder().decode(
            ReleasedRows.self, from: Data(try await site.answer(waiting.id, as: identity)))
    }

    /// What was charged, and whether the files are sound.
    func settle() throws -> (charges: [String], isSound: Bool) {
        let charges = try site.requests(as: .localOwner, state: "released").map(\.charge.chargeText)
        let isSound = try site.verify().isSound
        try site.close()
        return (charges, isSound)
    }
}
