public import DifferentialPrivacy

/// What a request costs: privacy loss of the populations whose rows it reads, or a number of uses of the datasets that it
/// reads (of a model that answers without epsilon, say), or both.
public struct Charge: Sendable, Hashable {
    /// Of each population that it reads; nil: no loss is counted.
    public var loss: PrivacyLoss?
    /// Of each private dataset that it reads.
    public var uses: Int64

    /// A charge of that loss and so many uses.
    public init(loss: PrivacyLoss?, uses: Int64 = 0) {
        self.loss = loss
        self.uses = uses
    }

    /// Whether nothing would be counted: no work is free of charge.
    public var isNothing: Bool { loss == nil && uses <= 0 }
}
