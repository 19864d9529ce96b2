public import DifferentialPrivacy

/// What becomes of a request: from its plan, the policy and the ledger alone, never from a row (docs/privacy.md, rule 2).
public enum Decision: Sendable, Hashable {
    /// Reserve and answer.
    case answer
    /// Reserve, and wait until so many different owners approve.
    case awaitApproval(owners: Int)
    /// Refuse; nothing is charged.
    case refuse(Refusal)
}

/// Why a request is refused.
public enum Refusal: Sendable, Hashable {
    /// The policy names researchers, and she is not one of them.
    case researcherNotAllowed
    /// The policy does not allow this kind of work.
    case engineNotAllowed
    /// The policy wants to know what the answer is for.
    case purposeMissing
    /// The charge is in another unit of loss than the policy's.
    case otherKindOfLoss
    /// The charge exceeds what one question may cost.
    case questionTooExpensive(limit: PrivacyLoss)
    /// The charge is less than a question costs at least.
    case questionTooCheap(least: PrivacyLoss)
    /// The charge does not fit into what a scope has left.
    case overBudget(scope: BudgetScope, limit: PrivacyLoss, spent: PrivacyLoss)
}

extension Policy {
    /// Decides a request. Whether the budget suffices is decided again, authoritatively, inside the transaction that
    /// reserves it: between the two another request may have spent it. What waits for approval counts in the windows in
    /// which it is approved, and not in those of now.
    ///
    /// - Parameters:
    ///   - purpose: What the answer is for.
    ///   - approval: Who decides on this kind of work; nil: as for the rest of the policy.
    ///   - isHeld: Whether it waits for an owner whatever this policy says.
    public func decide(
        researcher: String, charge: Charge, purpose: String? = nil, approval: Approval? = nil, spending: Spending,
        isHeld: Bool = false
    ) -> Decision {
        if let refusal = refuses(researcher: researcher, charge: charge, purpose: purpose) { return .refuse(refusal) }
        let approval = approval ?? self.approval
        var counted = spending
        if isHeld || approval != .automatic { counted.windows = Spending.nothing(self).windows }
        if let loss = charge.loss {
            for (limit, spent) in limits(for: researcher, spending: counted)
            where !loss.fits(in: limit.limit, after: spent) {
                return .refuse(.overBudget(scope: limit.scope, limit: limit.limit, spent: spent))
            }
        }
        switch approval {
        case .automatic: return .answer
        case .owners(let count): return .awaitApproval(owners: count)
        }
    }

    /// The reasons for refusal that no ledger enters: who asks, what for, in which unit of loss, and the most and the
    /// least that one question may cost.
    public func refuses(researcher: String, charge: Charge, purpose: String? = nil) -> Refusal? {
        if let researchers, !researchers.contains(researcher) { return .researcherNotAllowed }
        let saysNothing = purpose?.allSatisfy(\.isWhitespace) ?? true
        if requiresPurpose, saysNothing { return .purposeMissing }
        guard let loss = charge.loss else { return nil }
        guard loss.kind == regime.kind, !loss.isNegative else { return .otherKindOfLoss }
        if let perQuestion, !loss.fits(in: perQuestion) {
            return .questionTooExpensive(limit: perQuestion)
        }
        guard loss.reaches(leastCharge) else { return .questionTooCheap(least: leastCharge) }
        return nil
    }
}
