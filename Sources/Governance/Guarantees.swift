/// The five parts of structured transparency (Trask et al. 2020), each saying what was done and by what parameters.
public struct Guarantees: Sendable, Hashable, Codable {
    public var inputPrivacy: String
    public var outputPrivacy: String
    public var inputVerification: String
    public var outputVerification: String
    public var flowGovernance: String

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
