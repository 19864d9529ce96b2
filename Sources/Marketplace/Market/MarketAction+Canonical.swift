extension MarketAction {
    func append(to bytes: inout CanonicalBytes) {
        switch self {
        case .register(let party, let key):
            bytes.append(1)
            bytes.append(party.text)
            bytes.append(key.value)
        case .clock: bytes.append(6)
        case .rotate(let key):
            bytes.append(7)
            bytes.append(key.value)
        case .credit(let party, let amount):
            bytes.append(2)
            bytes.append(party.text)
            bytes.append(amount)
        case .withdraw(let amount):
            bytes.append(3)
            bytes.append(amount)
        case .draft(let terms):
            bytes.append(4)
            terms.append(to: &bytes)
        case .task(let task, let action):
            bytes.append(5)
            bytes.append(task)
            bytes.append(action.number)
            action.append(to: &bytes)
        }
    }
}

extension TaskAction {
    /// A number of its own for each kind of action, which stays what it is.
    fileprivate var number: Int {
        switch self {
        case .amend: 1
        case .fund: 2
        case .open: 3
        case .cancel: 4
        case .commitProposal: 5
        case .showProposal: 6
        case .join: 7
        case .beginRound: 8
        case .commitUpdate: 9
        case .closeRound: 10
        case .showUpdate: 11
        case .finishRound: 12
        case .authorise: 13
        case .deliver: 14
        case .requestEvaluation: 15
        case .score: 16
        case .declare: 17
        case .checkpoint: 18
        case .dispute: 19
        case .vote: 20
        case .settle: 21
        case .claim: 22
        case .tick: 23
        }
    }

    fileprivate func append(to bytes: inout CanonicalBytes) {
        switch self {
        case .open, .cancel, .tick: break
        case .amend(let terms): terms.append(to: &bytes)
        case .fund(let digest), .commitProposal(let digest), .checkpoint(let digest): bytes.append(digest)
        case .beginRound(let number), .closeRound(let number), .requestEvaluation(let number): bytes.append(number)
        case .join(let role): bytes.append(role.number)
        case .declare(let verdict): verdict.append(to: &bytes)
        case .settle(let seed, let binding):
            bytes.append(seed.value)
            bytes.append(binding)
        case .claim(let claim): claim.append(to: &bytes)
        case .score(let evaluation, let score):
            bytes.append(evaluation)
            bytes.append(score?.billionths)
        case .dispute(let subject):
            // As an optional: with a mark before the number.
            let job: Int64? = if case .job(let job) = subject { Int64(job) } else { nil }
            bytes.append(job)
        case .vote(let dispute, let ruling):
            bytes.append(dispute)
            ruling.append(to: &bytes)
        default: appendTraining(to: &bytes)
        }
    }

    private func appendTraining(to bytes: inout CanonicalBytes) {
        switch self {
        case .showProposal(let proposal, let parent, let content, let salt):
            bytes.append(proposal)
            bytes.append(parent)
            bytes.append(content)
            bytes.append(salt.value)
        case .commitUpdate(let round, let commitment):
            bytes.append(round)
            bytes.append(commitment)
        case .showUpdate(let round, let content, let salt):
            bytes.append(round)
            bytes.append(content)
            bytes.append(salt.value)
        case .finishRound(let round, let content, let receipts):
            bytes.append(round)
            bytes.append(content)
            bytes.append(receipts)
        case .authorise(let proposal, let provider, let limit, let until):
            bytes.append(proposal)
            bytes.append(provider.text)
            bytes.append(limit)
            bytes.append(until)
        case .deliver(let job, let units, let receipt):
            bytes.append(job)
            bytes.append(units)
            bytes.append(receipt)
        default: preconditionFailure("an action without an encoding")
        }
    }
}

extension Verdict {
    fileprivate func append(to bytes: inout CanonicalBytes) {
        bytes.append(finals) { bytes, final in
            bytes.append(final.node)
            bytes.append(final.score.billionths)
        }
        bytes.append(contributions) { bytes, contribution in
            bytes.append(contribution.owner.text)
            bytes.append(contribution.score.billionths)
            bytes.append(contribution.error.billionths)
        }
    }
}

extension Ruling {
    fileprivate func append(to bytes: inout CanonicalBytes) {
        switch self {
        case .rejected: bytes.append(0)
        case .upheld(nil): bytes.append(1)
        case .upheld(let verdict?):
            bytes.append(2)
            verdict.append(to: &bytes)
        }
    }
}
