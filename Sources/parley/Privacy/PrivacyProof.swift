import DifferentialPrivacy

/// What is proved about an epsilon, and which accountants proved it.
struct PrivacyProof {
    /// The least upper bound and the greatest lower one.
    var bounds: PrivacyBounds
    var upperBy: AccountantChoice
    var lowerBy: AccountantChoice
}

extension AccountantOptions {
    /// The accountants that are asked, each with the event composed: the one that was named, or all that support the event.
    func accountants(
        for event: PrivacyEvent
    ) throws(MechanismError) -> [(choice: AccountantChoice, accountant: any Accountant)] {
        var result: [(choice: AccountantChoice, accountant: any Accountant)] = []
        for choice in only.map({ [$0] }) ?? AccountantChoice.unnamed {
            do throws(MechanismError) {
                var accountant = try make(choice)
                try accountant.compose(event, times: 1)
                result.append((choice, accountant))
            } catch {
                // The last is Rényi's, who supports nearly everything: that refusal says best what is wrong.
                let isLast = choice == .renyi && result.isEmpty
                if choice == only || isLast || isIndispensable(choice) { throw error }
            }
        }
        return result
    }

    /// Whoever asks for a grid asks for what is computed on it.
    private func isIndispensable(_ choice: AccountantChoice) -> Bool { choice == .pld && gridStep != nil }

    /// Every accountant's bounds hold, hence their intersection.
    func proof(of event: PrivacyEvent, delta: Double) throws(MechanismError) -> PrivacyProof {
        var proofs: [(choice: AccountantChoice, bounds: PrivacyBounds)] = []
        var refusal: MechanismError?
        for (choice, accountant) in try accountants(for: event) {
            do throws(MechanismError) {
                proofs.append((choice, try accountant.epsilon(delta: delta)))
            } catch {
                if isIndispensable(choice) { throw error }
                refusal = error
            }
        }
        guard let upper = proofs.min(by: { $0.bounds.upper < $1.bounds.upper }),
            let lower = proofs.max(by: { $0.bounds.lower < $1.bounds.lower })
        else { throw refusal ?? .parameter("event", expected: "one that an accountant supports") }
        let bounds = PrivacyBounds(
            lower: min(lower.bounds.lower, upper.bounds.upper), upper: upper.bounds.upper, order: upper.bounds.order)
        return PrivacyProof(bounds: bounds, upperBy: upper.choice, lowerBy: lower.choice)
    }
}
