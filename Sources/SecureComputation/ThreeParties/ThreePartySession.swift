internal import Crypto
internal import Foundation
internal import Secrets

/// What three parties are safe from.
public enum ThreePartySecurity: Sendable, Hashable {
    /// From one of them that follows the protocol and looks at all it sees.
    case semiHonest
    /// From one of them that does whatever it likes: the others' outputs are right, or they stop (``ComputationError/abort(round:_:)``). Without fairness: who deviates may have its outputs before.
    case withAbort
}

/// One run of three parties without a dealer: who they are, and what they compute. Its digest is in every message.
public struct ThreePartySession: Sendable, Hashable {
    /// Who the first, second and third party are: names that stand for keys, as the caller has them.
    public let parties: [String]
    /// Sixteen bytes that no other session has.
    public let nonce: [UInt8]
    /// What the run is safe from.
    public let security: ThreePartySecurity
    /// With abort, where an earlier run has proved all weights to be within their bounds, so that this one need not: each owner's ``SharedWeights/verification``. Parts of another one are refused, so that all parties mean
    /// the same components.
    let verifications: [[UInt8]]
    var weightsAreVerified: Bool { !verifications.isEmpty }
    /// SHA-256 of names, nonce, weights, program and security.
    public let digest: [UInt8]
    /// The program's digest.
    let program: [UInt8]
    /// The names of the owners' shared weights: of the first party's, the second's, the third's; none where the program has none of theirs.
    let weights: [[UInt8]]

    /// - Parameters:
    ///   - parties: Three names.
    ///   - weights: The identifier of each owner's ``SharedWeights``.
    ///   - security: What the run is to be safe from; the same at all three.
    ///   - verifications: With abort: of each owner's weights, where all bring ``ThreePartyMachine/verifiedWeights`` of an earlier run.
    ///   - nonce: Sixteen bytes of the operating system's randomness unless the session is one that another party began.
    /// - Throws: ``ComputationError/roles(_:)`` where they are not three; ``ComputationError/input(_:expected:)`` where an owner's weights have no identifier; ``ComputationError/unverifiable(_:)`` with abort.
    public init(
        program: Program, parties: [String], weights: [ComputingParty: [UInt8]] = [:],
        security: ThreePartySecurity = .semiHonest, verifications: [ComputingParty: [UInt8]] = [:],
        nonce: [UInt8]? = nil
    ) throws(ComputationError) {
        guard parties.count == 3, Set(parties).count == 3 else {
            throw .roles("\(Set(parties).count) names for three parties")
        }
        let owners = Set(program.weights.map(\.owner))
        guard owners == Set(weights.keys), weights.values.allSatisfy({ $0.count == 16 }) else {
            throw .input(
                "identifiers of the weights of \(weights.count) owners", expected: "one of 16 bytes for each owner")
        }
        let nonce = nonce ?? SecureRandom.bytes(16)
        guard nonce.count == 16 else { throw .malformed("a nonce of \(nonce.count) bytes", expected: "16") }
        guard verifications.isEmpty || security == .withAbort && Set(verifications.keys) == owners else {
            throw .input("verifications of \(verifications.count) owners' weights", expected: "none, or all with abort")
        }
        if security == .withAbort { _ = try VerifiedPlan(program, weightsAreVerified: !verifications.isEmpty) }
        self.security = security
        self.verifications = verifications.isEmpty ? [] : ComputingParty.three.map { verifications[$0] ?? [] }
        let names = ComputingParty.three.map { weights[$0] ?? [] }
        (self.program, self.parties, self.nonce, self.weights) = (program.digest, parties, nonce, names)
        let purpose = security == .semiHonest ? "program" : "program with abort"
        digest = Self.digest(
            [Array(purpose.utf8), program.digest] + names + self.verifications, parties, nonce)
    }

    /// A session of a program on tables.
    ///
    /// - Throws: ``ComputationError/roles(_:)``; with abort ``ComputationError/unverifiable(_:)``, since shuffles and what is opened on the way are not verified.
    public init(
        program: TableProgram, parties: [String], security: ThreePartySecurity = .semiHonest, nonce: [UInt8]? = nil
    ) throws(ComputationError) {
        guard security == .semiHonest else {
            throw .unverifiable("operations on tables, whose shuffles and openings on the way are not verified yet")
        }
        (self.security, verifications) = (security, [])
        guard parties.count == 3, Set(parties).count == 3 else {
            throw .roles("\(Set(parties).count) names for three parties")
        }
        let nonce = nonce ?? SecureRandom.bytes(16)
        guard nonce.count == 16 else { throw .malformed("a nonce of \(nonce.count) bytes", expected: "16") }
        (self.program, self.parties, self.nonce, weights) = (program.digest, parties, nonce, [])
        digest = Self.digest([Array("tables".utf8), program.digest], parties, nonce)
    }

    private static func digest(_ purpose: [[UInt8]], _ parties: [String], _ nonce: [UInt8]) -> [UInt8] {
        var hash = SHA256()
        for part in [Array("parley/three-party/1".utf8)] + parties.map({ Array($0.utf8) }) + [nonce] + purpose {
            hash.update(data: Data("\(part.count):".utf8))
            hash.update(data: part)
        }
        return Array(hash.finalize())
    }
}
