internal import Secrets

/// What aggregators query proofs with: 32 bytes that they share and that no client knows, fixed before the first report
/// (draft, section 9.1). Who knows it can make an invalid report that verifies.
public struct VerifyKey: Sendable {
    /// The 32 bytes, to give them to the other aggregators.
    public let bytes: [UInt8]

    /// A fresh one of the operating system's randomness.
    public init() { bytes = SecureRandom.bytes(XofTurboShake128.seedSize) }

    /// One that was agreed on. Throws `malformed` unless it has 32 bytes.
    public init(_ bytes: [UInt8]) throws(Prio3Error) {
        guard bytes.count == XofTurboShake128.seedSize else {
            throw .malformed("verification key", expected: "\(XofTurboShake128.seedSize) bytes")
        }
        self.bytes = bytes
    }
}

extension VerifyKey: CustomStringConvertible, CustomReflectable {
    /// The name alone.
    public var description: String { "VerifyKey" }
    /// Nothing: it is secret.
    public var customMirror: Mirror { Mirror(self, children: []) }
}

/// A measurement in shares. The nonce and the public share go to every aggregator, and each input share to its aggregator
/// alone, encrypted: all of them together are the measurement.
public struct Prio3Report: Sendable {
    /// The report's number.
    public let nonce: ReportNonce
    /// Parts of the joint randomness; empty for ``Prio3Count`` and ``Prio3Sum``.
    public let publicShare: [UInt8]
    /// One for each aggregator, in their order. The first one is as long as the measurement and its proofs; the others are 32
    /// or 64 bytes.
    public let inputShares: [[UInt8]]
}

extension Prio3Report: CustomStringConvertible, CustomReflectable {
    /// The nonce alone.
    public var description: String { "Prio3Report(\(nonce))" }
    /// Nothing: all shares together are the measurement.
    public var customMirror: Mirror { Mirror(self, children: []) }
}

/// What an aggregator keeps of a report between its two steps. Not for storing: from the report's shares the first step gives
/// the same again.
public struct VerifyState: Sendable {
    /// Given out once the report is verified.
    let output: OutputShare
    /// What the verifier message must be.
    let jointSeed: [UInt8]

    /// The report's number.
    public var nonce: ReportNonce { output.nonce }
    /// The verifier message with which this aggregator's last step succeeds. Where another aggregator makes the message it should be told, and compare: a client
    /// that names false joint randomness to one of them could else be summed by the other alone.
    public var expectedMessage: [UInt8] { jointSeed }
}

extension VerifyState: CustomStringConvertible, CustomReflectable {
    /// The nonce alone.
    public var description: String { "VerifyState(\(nonce))" }
    /// Nothing: it holds shares.
    public var customMirror: Mirror { Mirror(self, children: []) }
}

/// An aggregator's share of a verified measurement.
public struct OutputShare: Sendable {
    /// The report's number.
    public let nonce: ReportNonce
    /// Whose share it is.
    public let aggregator: Int
    let task: [UInt8]
    let elements: FieldElements
}

extension OutputShare: CustomStringConvertible, CustomReflectable {
    /// The nonce alone.
    public var description: String { "OutputShare(\(nonce))" }
    /// Nothing: it is a share.
    public var customMirror: Mirror { Mirror(self, children: []) }
}
