import DatasiteProtocol
import Foundation
import Governance
import ModularArithmetic
import SecureComputation
import SecureStatistics
import Tables

/// What three sites are asked to compute.
enum AskedComputation: Sendable {
    case regression(ComputationRequest)
    case join(JoinRequest)

    /// - Throws: A `JSONError`, or a `Problem`: what is wrong in it.
    init(_ request: StrictObject) throws {
        var peek = request
        self =
            peek.value("analysis") == .string(JoinRequest.analysis)
            ? .join(try JoinRequest(request)) : .regression(try ComputationRequest(request))
    }

    /// As it was stored.
    init(_ body: [UInt8]) throws {
        struct Kind: Decodable { let analysis: String }
        let (decoder, data) = (JSONDecoder(), Data(body))
        self =
            try decoder.decode(Kind.self, from: data).analysis == JoinRequest.analysis
            ? .join(try decoder.decode(JoinRequest.self, from: data))
            : .regression(try decoder.decode(ComputationRequest.self, from: data))
    }

    var request: any SealedComputation {
        switch self {
        case .regression(let request): request
        case .join(let request): request
        }
    }

    var stored: [UInt8] {
        get throws {
            switch self {
            case .regression(let request): try AnswerEncoding.bytes(request)
            case .join(let request): try AnswerEncoding.bytes(request)
            }
        }
    }

    var analysis: ComputationRule.Analysis {
        switch self {
        case .regression(let request): request.analysis == .linear ? .linear : .logistic
        case .join: .joined
        }
    }

    /// For lists and the journal.
    var words: String {
        switch self {
        case .regression(let request):
            "\(request.analysis.rawValue.uppercased()) OF \(request.response.name) BY \(request.features.map(\.name).joined(separator: ", ")), of \(request.dataset) at three sites"
        case .join(let request):
            "STATISTICS OF WHO IS IN BOTH TABLES, ON \(request.on.name)"
                + (request.columns.isEmpty ? "" : ", OF \(request.columns.map(\.name).joined(separator: ", "))")
                + (request.by.map { " BY \($0.name)" } ?? "") + ", of \(request.dataset) at two sites and a third"
        }
    }
}

/// A join, and the table of it whose shares the program behind it takes.
struct SharedJoin: Sendable {
    let program: TableProgram
    let joined: SharedTable
}

/// How a computation is done at this site: from request, manifest and policy alone.
protocol ComputationPlan: Sendable {
    /// SHA-256 of what is computed.
    var digest: [UInt8] { get }
    /// What all three run; behind ``join`` where there is one.
    var program: Program { get }
    /// What all three run before; nil: nothing.
    var join: SharedJoin? { get }
    /// What the others' steps are verified to be.
    var security: ThreePartySecurity { get }
    /// What it costs at most.
    var cost: ThreePartyCost { get }
    /// Which noise; nil: results are opened without.
    var noise: JointNoise? { get }
    /// How many columns of this site are read; 0: it brings no rows.
    var columnCount: Int { get }

    /// What this site puts in, of its rows, and the noise that it draws.
    func inputs(_ table: Table) throws -> ComputationInputs
    /// What is said of what goes in and what becomes known, and of what the result is.
    var notes: [String] { get }
    /// What is known of what went in, and of the steps.
    var inputVerification: String { get }
    /// What becomes known, as "the coefficients become": where there is no noise.
    var whatBecomes: String { get }
    /// What is stored and sent.
    func document(_ terms: ComputationTerms) throws -> [UInt8]
}

/// What a site puts into its machines.
struct ComputationInputs: Sendable {
    /// Into that of the join.
    var tables: [[[Int64]]] = []
    /// Into that of the program.
    var inputs: [RingTensor]
}

/// What a document of a computation says beside its result.
struct ComputationTerms {
    let request: String
    let version: String
    let place: Int
    let session: Data
    let outputs: [RingTensor]
    let notes: [String]
    let release: ReleaseTerms
}
