extension MarketAction {
    init(reading reader: inout CanonicalReader, mostElements most: Int) throws(MalformedEntry) {
        switch try reader.integer() {
        case 1:
            let party = try reader.party()
            self = .register(party, key: try reader.partyKey())
        case 2: self = .credit(try reader.party(), amount: try reader.integer())
        case 3: self = .withdraw(amount: try reader.integer())
        case 4: self = .draft(try TaskTerms(reading: &reader, mostReferees: most))
        case 5:
            let task = try reader.digest()
            self = .task(task, try TaskAction(reading: &reader, mostElements: most))
        case 6: self = .clock
        case 7: self = .rotate(try reader.partyKey())
        default: throw reader.malformed("an action's number, 1 to 7")
        }
    }
}

extension TaskAction {
    /// By the numbers of `TaskAction.number`.
    fileprivate init(reading reader: inout CanonicalReader, mostElements most: Int) throws(MalformedEntry) {
        switch try reader.integer() {
        case 1: self = .amend(try TaskTerms(reading: &reader, mostReferees: most))
        case 2: self = .fund(terms: try reader.digest())
        case 3: self = .open
        case 4: self = .cancel
        case 5: self = .commitProposal(try reader.digest())
        case 7: self = .join(try Role(reading: &reader))
        case 8: self = .beginRound(parent: try reader.int())
        case 10: self = .closeRound(try reader.int())
        case 15: self = .requestEvaluation(node: try reader.int())
        case 16:
            let evaluation = try reader.int()
            guard let billionths = try reader.optional() else {
                self = .score(evaluation: evaluation, nil)
                return
            }
            guard let score = Score(billionths: billionths) else { throw reader.malformed("a score") }
            self = .score(evaluation: evaluation, score)
        case 17: self = .declare(try Verdict(reading: &reader, mostElements: most))
        case 18: self = .checkpoint(try reader.digest())
        case 19: self = .dispute(try reader.optional().map { DisputeSubject.job(Int($0)) } ?? .declaration)
        case 20: self = .vote(dispute: try reader.int(), try Ruling(reading: &reader, mostElements: most))
        case 21: self = .settle(seed: try reader.salt(), binding: try reader.data(atMost: most))
        case 22: self = .claim(try Claim(reading: &reader, mostElements: most))
        case 23: self = .tick
        case let number: try self.init(training: number, reading: &reader)
        }
    }

    private init(training number: Int64, reading reader: inout CanonicalReader) throws(MalformedEntry) {
        switch number {
        case 6:
            self = .showProposal(
                try reader.int(), parent: try reader.int(), content: try reader.digest(), salt: try reader.salt())
        case 9: self = .commitUpdate(round: try reader.int(), try reader.digest())
        case 11:
            self = .showUpdate(round: try reader.int(), content: try reader.digest(), salt: try reader.salt())
        case 12: self = .finishRound(try reader.int(), content: try reader.digest(), receipts: try reader.digest())
        case 13:
            self = .authorise(
                proposal: try reader.int(), provider: try reader.party(), limit: try reader.integer(),
                until: try reader.integer())
        case 14: self = .deliver(job: try reader.int(), units: try reader.integer(), receipt: try reader.digest())
        default: throw reader.malformed("the number of a task's action, 1 to 23")
        }
    }
}

extension Role {
    fileprivate init(reading reader: inout CanonicalReader) throws(MalformedEntry) {
        let number = try reader.int()
        guard Role.allCases.indices.contains(number) else { throw reader.malformed("a role's number") }
        self = Role.allCases[number]
    }
}

extension Verdict {
    fileprivate init(reading reader: inout CanonicalReader, mostElements most: Int) throws(MalformedEntry) {
        let finals = try reader.list(atMost: most) { reader throws(MalformedEntry) in
            Final(node: try reader.int(), score: try reader.score())
        }
        let contributions = try reader.list(atMost: most) { reader throws(MalformedEntry) in
            Contribution(owner: try reader.party(), score: try reader.score(), error: try reader.score())
        }
        self.init(finals: finals, contributions: contributions)
    }
}

extension Ruling {
    fileprivate init(reading reader: inout CanonicalReader, mostElements most: Int) throws(MalformedEntry) {
        switch try reader.integer() {
        case 0: self = .rejected
        case 1: self = .upheld(nil)
        case 2: self = .upheld(try Verdict(reading: &reader, mostElements: most))
        default: throw reader.malformed("a ruling's number, 0 to 2")
        }
    }
}

extension Claim {
    fileprivate init(reading reader: inout CanonicalReader, mostElements most: Int) throws(MalformedEntry) {
        let leaf = try reader.data(atMost: ClaimLeaf.byteCount)
        guard leaf.count == ClaimLeaf.byteCount else {
            throw reader.malformed("a leaf of \(ClaimLeaf.byteCount) bytes")
        }
        let party = try reader.party()
        let path = try reader.list(atMost: most) { reader throws(MalformedEntry) in try reader.digest() }
        func number(_ word: Int) -> Int64 {
            Int64(bitPattern: leaf[32 * word + 24..<32 * word + 32].reduce(UInt64(0)) { $0 << 8 | UInt64($1) })
        }
        guard let settlement = Digest256(leaf[32..<64]), let salt = Digest256(leaf[192..<224]),
            let role = Int(exactly: number(4)), Role.allCases.indices.contains(role)
        else { throw reader.malformed("a leaf") }
        self.init(
            leaf: ClaimLeaf(
                settlement: settlement, index: Int(number(2)), party: party, role: Role.allCases[role],
                amount: number(5), salt: Salt(salt)),
            path: path)
    }
}

extension ClaimLeaf {
    /// Seven words of 32 bytes.
    fileprivate static let byteCount = 224
}
