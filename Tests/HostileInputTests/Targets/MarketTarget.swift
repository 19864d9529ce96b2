import Marketplace

/// The readers of a market's entries, of its log and of a chain's encoding: what is read is written again with the same bytes, and a refusal says where. Whatever entry is read is
/// asked of a market, which does it or says why not.
enum MarketTarget {
    static func violations(_ input: [UInt8]) -> [String] {
        entry(SignedEntry.self, input) + entry(BookEntry.self, input) + lists(input) + log(input) + asked(input)
            + DrawProofTarget.violations(input)
    }

    private static func asked(_ input: [UInt8]) -> [String] {
        guard let entry = try? SignedEntry(journalBytes: input) else { return [] }
        guard let market, let sue = PartyName("sue") else { return ["market: none is made"] }
        return market.refusal(of: entry.request.action, by: sue, at: entry.request.time ?? 0)?.description.isEmpty
            == true
            ? ["market: a refusal without words"] : []
    }

    /// With a sponsor, who has drafted a task.
    private static let market: Market? = {
        guard let clerk = PartyName("clerk"), let sue = PartyName("sue"),
            let signer = PartySigner(seed: [UInt8](repeating: 1, count: 32)),
            let key = PartySigner(seed: [UInt8](repeating: 2, count: 32)),
            let policy = DepositPolicy(detectionMillionths: 800_000, leastExpectation: 300_000)
        else { return nil }
        var market = Market(
            id: Digest256.sha256([1]), operatorName: clerk, operatorKey: signer.publicKey, policy: policy)
        for (place, action): (Int64, MarketAction) in [
            (1, .register(clerk, key: signer.publicKey)), (2, .register(sue, key: key.publicKey)),
            (3, .credit(sue, amount: 1_000_000)),
        ] {
            guard let entry = try? signer.sign(action, by: clerk, in: market.id, time: place),
                let admitted = try? market.admit(entry)
            else { return nil }
            _ = market.apply(admitted)
        }
        guard let terms = try? terms(quorum: 2),
            let draft = try? key.sign(.draft(terms), by: sue, in: market.id, nonce: market.id),
            let admitted = try? market.admit(draft), case .done = market.apply(admitted)
        else { return nil }
        return market
    }()

    /// Terms that are right where the quorum is.
    static func terms(quorum: Int) throws -> TaskTerms {
        func score(_ value: Double) -> Score { Score(value) ?? .zero }
        let some = Digest256.sha256([2])
        return TaskTerms(
            rules: some, pot: TaskTerms.Pot(data: 60_000, computation: 20_000, expertise: 40_000),
            goal: TaskTerms.Goal(
                metric: some, direction: .higherIsBetter, baseline: score(0.5), target: score(0.8), step: score(0.01),
                validation: some, evaluations: 12, evaluationsEach: 6, finalists: 2),
            formula: TaskTerms.Formula(
                ancestorThousandths: 250, significanceThousandths: 0, price: 1_000, computationEach: 9_000),
            gains: TaskTerms.FraudGains(scientist: 3_000, owner: 2_000, provider: 8_000, dispute: 1_000),
            court: TaskTerms.Court(
                referees: ["rae", "rex", "rob"].compactMap { PartyName($0) }, quorum: quorum, fee: 500),
            schedule: TaskTerms.Schedule(
                openBy: 100, proposalsUntil: 200, revealUntil: 300, revealDelay: 10, trainUntil: 1_000,
                declareUntil: 1_200, checkpointPatience: 50, challengeWindow: 100, rulingWindow: 60, claimWindow: 100))
    }

    private static func entry<Entry: JournalEntry>(_ type: Entry.Type, _ input: [UInt8]) -> [String] {
        do throws(MalformedEntry) {
            return try Entry(journalBytes: input).journalBytes == input
                ? [] : ["\(type): written with other bytes than were read"]
        } catch {
            return (0...input.count).contains(error.offset) && !error.expected.isEmpty
                ? [] : ["\(type): a refusal without a place or words"]
        }
    }

    private static func lists(_ input: [UInt8]) -> [String] {
        guard let item = RLP(input) else { return [] }
        return item.encoded == input ? [] : ["RLP: written with other bytes than were read"]
    }

    /// The first 32 bytes say whose log it is. What is whole is written again with the same bytes, and what is cut is read as whole.
    private static func log(_ input: [UInt8]) -> [String] {
        guard let beginning = Digest256(input.prefix(EntryLog.prefixCount)) else { return [] }
        do throws(EntryLogError) {
            var (count, last) = (0, LogPosition(count: 0, digest: beginning))
            let contents = try EntryLog.read(input, beginning: beginning) { entry, position throws(EntryLogError) in
                (count, last) = (count + 1, position)
            }
            guard contents.end == last, count == last.count, contents.byteCount <= input.count,
                contents.isTorn == (contents.byteCount < input.count)
            else { return ["log: what was read is not what was said to be there"] }
            guard contents.byteCount >= EntryLog.prefixCount else { return ["log: less than its beginning is left"] }
            let cut = Array(input.prefix(contents.byteCount))
            let again = try EntryLog.read(cut, beginning: beginning) { _, _ throws(EntryLogError) in }
            return again.end == last && !again.isTorn ? [] : ["log: torn again after it was cut"]
        } catch { return error.description.isEmpty ? ["log: a refusal without words"] : [] }
    }
}
