/// The five parts of structured transparency (Trask et al. 2020), each saying what was done and by what parameters.
public struct Guarantees: Sendable, Hashable, Codable {
    /// How the inputs are kept from others: who reads private rows, and where.
    public var inputPrivacy: String
    /// What the output tells of an input: the mechanism and its loss.
    public var outputPrivacy: String
    /// How it was checked that the inputs are what they claim to be.
    public var inputVerification: String
    /// How the output can be checked to be what was computed.
    public var outputVerification: String
    /// Who decided that this may flow, and by which rule.
    public var flowGovernance: String

    /// Five sentences, each complete in itself.
    public init(
        inputPrivacy: String, outputPrivacy: String, inputVerification: String, outputVerification: String,
        flowGovernance: String
    ) {
        self.inputPrivacy = inputPrivacy
        self.outputPrivacy = outputPrivacy
        self.inputVerification = inputVerification
        self.outputVerification = outputVerification
        self.flowGovernance = flowGovernance
    }
}
