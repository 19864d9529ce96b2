internal import Crypto
internal import Foundation
public import ModularArithmetic
internal import Secrets

/// What a party brings to a run.
public struct PartyInputs: Sendable, CustomStringConvertible, CustomReflectable {
    /// Its inputs, in the program's order. Magnitudes are held to the declared bounds.
    public var inputs: [RingTensor]
    /// Its weights, in the program's order.
    public var weights: [RingTensor]
    /// The mask of its weights, bound to them.
    public var mask: WeightMask?
    /// The other party's weights under their mask.
    public var maskedWeights: MaskedWeights?

    /// What a party brings: nothing unless it is said.
    public init(
        inputs: [RingTensor] = [], weights: [RingTensor] = [], mask: WeightMask? = nil,
        maskedWeights: MaskedWeights? = nil
    ) {
        (self.inputs, self.weights, self.mask, self.maskedWeights) = (inputs, weights, mask, maskedWeights)
    }

    /// The name alone.
    public var description: String { "PartyInputs" }
    /// Nothing.
    public var customMirror: Mirror { Mirror(self, children: []) }
}

/// Leave to use correlations, for one set of inputs: made by a ``CorrelationLedger`` alone.
public struct CorrelationClaim: Sendable, CustomStringConvertible, CustomReflectable {
    let session: [UInt8]
    let party: ComputingParty
    let inputs: PartyInputs

    /// The name alone.
    public var description: String { "CorrelationClaim" }
    /// Nothing.
    public var customMirror: Mirror { Mirror(self, children: []) }
}

/// Which correlations served, and for what: they serve once, since two values under one mask show their difference.
///
/// The caller stores it durably after ``claim(_:inputs:)`` and before the first message leaves. A party that was interrupted claims again with the same inputs and takes again the
/// messages that it had received, which it stored before it answered them: then it sends the same bytes. With other inputs the correlations are refused for good.
/// It holds no inputs, only a keyed digest of them; its key is kept like them.
public struct CorrelationLedger: Sendable, Codable, CustomStringConvertible, CustomReflectable {
    private let key: [UInt8]
    /// By session and party.
    private var served: [String: [UInt8]] = [:]

    /// Of a party that has used none.
    public init() { key = SecureRandom.bytes(32) }

    /// Marks correlations as used for these inputs.
    ///
    /// - Throws: ``ComputationError/correlationsServed`` where they were used for others.
    public mutating func claim(
        _ correlations: Correlations, inputs: PartyInputs
    ) throws(ComputationError) -> CorrelationClaim {
        let name = (correlations.session + [UInt8(correlations.party.rawValue)]).map { String($0, radix: 16) }.joined(
            separator: " ")
        let digest = digest(inputs)
        if let earlier = served[name], !constantTimeEqual(earlier, digest) {
            // No input has this digest: they are burnt.
            served[name] = []
            throw .correlationsServed
        }
        served[name] = digest
        return CorrelationClaim(session: correlations.session, party: correlations.party, inputs: inputs)
    }

    private func digest(_ inputs: PartyInputs) -> [UInt8] {
        var hash = HMAC<SHA256>(key: SymmetricKey(data: key))
        for (label, tensors) in [("inputs", inputs.inputs), ("weights", inputs.weights)] {
            hash.update(data: Data("\(label) \(tensors.count):".utf8))
            for tensor in tensors {
                hash.update(data: Data("\(tensor.shape):".utf8))
                tensor.words.map(\.littleEndian).withUnsafeBytes { hash.update(data: $0) }
            }
        }
        for words in inputs.maskedWeights?.words ?? [] {
            hash.update(data: Data("masked \(words.count):".utf8))
            words.map(\.littleEndian).withUnsafeBytes { hash.update(data: $0) }
        }
        return Array(hash.finalize())
    }

    /// The number of sessions.
    public var description: String { "CorrelationLedger(\(served.count) sessions)" }
    /// Nothing.
    public var customMirror: Mirror { Mirror(self, children: []) }
}
