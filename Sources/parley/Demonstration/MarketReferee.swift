import Datasite
import DatasiteProtocol
import Foundation
import Marketplace
import TransparencyLog

/// What a referee does about a declaration that is disputed: has the rows opened that the log drew, verifies them, and measures the model.
struct MarketReferee {
    /// What the referee found.
    struct Finding {
        /// As they were shown, with their salts and paths.
        let opened: [OpenedRow]
        /// How many there are of which these were drawn.
        let all: UInt64
        /// On how many the model is right, of how many that have a label.
        let right: Int, rows: Int

        /// Whether a declared score is plausible.
        func test(_ declared: Double, tolerance: Double) throws -> DeclaredScoreTest {
            guard
                let test = DeclaredScoreTest(
                    right: right, rows: rows, declared: declared, tolerance: tolerance, falseAlarm: 0.001)
            else { throw Failure("A share of right answers is from 0 to 1.") }
            return test
        }
    }

    let proof: DrawProof
    let task: MarketTask
    private let sent: EvaluationRequest
    private let weights: [UInt8]

    /// - Parameter proof: What the market's folder proves of the draw.
    init(_ proof: DrawProof, of task: MarketTask, model weights: [Float], _ proposal: MarketProposal) throws {
        (self.proof, self.task) = (proof, task)
        sent = try MarketJudge.request(weights, of: proposal)
        self.weights = [UInt8](Data(base64Encoded: sent.weights) ?? Data())
    }

    func find(_ referee: PartyName, _ judge: MarketJudge) async throws -> Finding {
        guard let checkpoint = task.checkpoint else { throw Failure("No rows were drawn.") }
        let opened = try await judge.opened(proof, to: referee)
        try opened.verify(
            commitment: task.terms.goal.validation,
            draw: OpenedRows.Draw(task: task.id, checkpoint: checkpoint, count: OpenedRows.least))
        let (right, rows) = try opened.measure(data: sent.data, model: sent.model, weights: weights)
        return Finding(opened: opened.rows, all: opened.head.size, right: right, rows: rows)
    }

    /// The model's files, for whoever measures it again: `parley market rows`.
    func keepModel(in folder: String) throws {
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: false)
        try SavedFile.write(weights, to: folder + "/weights.safetensors")
        try SavedFile.write(Array(sent.model.utf8), to: folder + "/architecture.json")
    }
}
