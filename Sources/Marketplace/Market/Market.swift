internal import Foundation

/// The market: its book, its tasks and its reputations, moved by entries, one transition each.
///
/// Pure: an entry goes in, an answer comes out, time is what the entry says. ``apply(_:writing:)`` is total, and whatever an entry changes is changed as a whole: a
/// transition is first worked out, then its money is moved by one entry of the book, and only then it is made. Durability is the caller's: it stores an entry before
/// it gives out the answer, and makes the same market again from the stored entries, in their order, refused ones included.
///
/// **Threat model.** Sponsors, scientists, owners, providers and referees may ask anything at any time, in any order and as often as they like, vanish, and lie. No sequence of
/// entries makes or loses money, moves a pot other than by ``EndingTable`` and the frozen terms, or pays twice. Lies about scores, contributions and jobs are found by
/// disputes, as far as a quorum of referees is honest; a sponsor who is silent pays for the work done. Entries are signed by whoever asks (``SignedEntry``), so
/// that nobody acts in another's name, the operator included. The operator registers keys, moves the clock, credits accounts and orders entries, is trusted with these, and limits how much one may ask, since every entry with a new key is kept; the transparency log shows what it did. Names of accounts and amounts are the market's own, and hold nothing of
/// private rows; contributions and feedback are released by the sponsor's datasite under its own rules (34 and 35 of the privacy rules), and only referred to here.
public struct Market: Sendable {
    /// 32 random bytes: what is signed for this market is of use in no other.
    public let id: Digest256
    /// Who registers, credits, moves the clock and brings checkpoints.
    public let operatorName: PartyName
    /// Under which its entries are verified.
    public let operatorKey: PartyKey
    /// How reputation decides admission and deposits.
    public let policy: DepositPolicy
    /// The money.
    public private(set) var book = Book()
    /// Under which everybody's entries are verified, from registration on.
    public private(set) var keys: [PartyName: PartyKey] = [:]
    /// By role, from settled tasks.
    public private(set) var reputations = Reputations()
    /// The latest time that an entry had.
    public private(set) var time: Int64 = 0
    /// How many entries with new keys there were.
    public private(set) var entryCount = 0
    /// A chain of digests over all entries with new keys and whether they were done, in their order.
    public private(set) var history = CanonicalBytes("market").digest
    private var tasks: [MarketTask] = []
    private var places: [Digest256: Int] = [:]
    private var answers: [Digest256: (content: Digest256, answer: MarketAnswer)] = [:]
    /// Digests of the tasks, in their order, and of the reputations, where they were made since the last change.
    private var taskDigests: [Digest256?] = []
    private var reputationDigest: Digest256?

    /// The latest time of an entry, in seconds: so that a window after it is a time too. A later one is refused, and its key is free.
    public static let latestTime: Int64 = 1 << 60

    /// A market without parties.
    public init(id: Digest256, operatorName: PartyName, operatorKey: PartyKey, policy: DepositPolicy) {
        self.id = id
        self.operatorName = operatorName
        self.operatorKey = operatorKey
        self.policy = policy
    }

    /// The account from which money comes and to which it goes.
    public static let outside = AccountName(unchecked: "outside")
    /// Where forfeited deposits go: the market's, to be used for nobody who takes part in the task.
    public static let forfeits = AccountName(unchecked: "forfeits")
    /// A party's account.
    public static func account(of party: PartyName) -> AccountName { AccountName(unchecked: "party/\(party.text)") }

    /// The task of that name.
    public subscript(_ task: Digest256) -> MarketTask? { places[task].map { tasks[$0] } }

    /// All tasks, in the order of their drafts.
    public var allTasks: [MarketTask] { tasks }

    /// What the entry of that key came to, if there was one.
    public func answer(to key: Digest256) -> MarketAnswer? { answers[key]?.answer }

    /// Verifies that an entry is signed for this market by the party in whose name it asks.
    ///
    /// - Throws: ``AdmissionRefusal``; then the entry is nobody's, and is not to be kept.
    public func admit(_ entry: SignedEntry) throws(AdmissionRefusal) -> AdmittedEntry {
        let request = entry.request
        guard request.market == id else { throw .otherMarket(request.market) }
        let isOperator = request.by == operatorName
        guard let key = isOperator ? operatorKey : keys[request.by] else { throw .unknownParty(request.by) }
        guard isOperator == (request.time != nil) else { throw .time(request.by) }
        guard key.verifies(entry.signature, of: request.signedBytes) else { throw .signature(request.by) }
        let count = entry.journalBytes.count
        guard count <= SignedEntry.mostBytes else { throw .tooLong(count) }
        return AdmittedEntry(entry)
    }

    /// Applies an entry, whole or not at all. The same key, party and action again change nothing and have the same answer.
    ///
    /// - Parameter journal: Is given the book's entry, if money was to be moved, before the answer: the book can be made again from these alone.
    public mutating func apply(
        _ admitted: AdmittedEntry, writing journal: (BookEntry) -> Void = { _ in }
    ) -> MarketAnswer {
        let request = admitted.entry.request
        // The clock is the operator's: what others ask is done at the latest time that it signed.
        let entry = MarketEntry(
            key: admitted.entry.key, time: request.time ?? time, by: request.by, action: request.action)
        return apply(entry, writing: journal)
    }

    mutating func apply(
        _ entry: MarketEntry, writing journal: (BookEntry) -> Void = { _ in }
    ) -> MarketAnswer {
        let content = entry.content
        if let known = answers[entry.key] { return known.content == content ? known.answer : .keyIsTaken }
        guard entry.time >= time else { return .clockWentBack(latest: time) }
        guard entry.time <= Self.latestTime else {
            return .refused(.time(entry.time, expected: "at most \(Self.latestTime) s"))
        }
        time = entry.time
        var answer: MarketAnswer
        do throws(MarketRefusal) {
            answer = .done(try perform(entry, writing: journal))
        } catch {
            answer = .refused(error)
        }
        answers[entry.key] = (content, answer)
        entryCount += 1
        var bytes = CanonicalBytes("market-history")
        bytes.append(history)
        bytes.append(entry.key)
        bytes.append(entry.time)
        bytes.append(content)
        if case .done = answer { bytes.append(1) } else { bytes.append(0) }
        history = bytes.digest
        return answer
    }

    // MARK: actions

    private mutating func perform(
        _ entry: MarketEntry, writing journal: (BookEntry) -> Void
    ) throws(MarketRefusal) -> MarketResult {
        switch entry.action {
        case .register(let party, let key):
            try demandOperator(entry.by)
            guard party != operatorName || key == operatorKey else {
                throw .value("the operator's key", expected: "the market's own")
            }
            var steps = [BookStep.open(Self.account(of: party), rule: .neverBelowZero)]
            if book[Self.outside] == nil {
                steps += [.open(Self.outside, rule: .unbounded), .open(Self.forfeits, rule: .neverBelowZero)]
            }
            try move(steps, entry, journal)
            keys[party] = key
            return .none
        case .rotate(let key):
            try demandAccount(entry.by)
            // The log's checkpoints are signed under it too, and whoever reads it knows the market by it.
            guard entry.by != operatorName else { throw .party(entry.by, expected: "anybody but the operator") }
            keys[entry.by] = key
            return .none
        case .clock:
            try demandOperator(entry.by)
            return .none
        case .credit(let party, let amount):
            try demandOperator(entry.by)
            try move([.move(Movement(from: Self.outside, to: Self.account(of: party), amount: amount))], entry, journal)
            return .none
        case .withdraw(let amount):
            try move(
                [.move(Movement(from: Self.account(of: entry.by), to: Self.outside, amount: amount))], entry, journal)
            return .none
        case .draft(let terms):
            try demandAccount(entry.by)
            guard tasks.count < Int(Int32.max) else { throw .limit("tasks", most: Int64(Int32.max)) }
            try terms.check(sponsor: entry.by)
            places[entry.key] = tasks.count
            tasks.append(MarketTask(id: entry.key, sponsor: entry.by, terms: terms))
            taskDigests.append(nil)
            return .task(entry.key)
        case .task(let name, let action):
            guard let place = places[name] else { throw .unknown("task \(name)") }
            try demandAccount(entry.by)
            let effect = try tasks[place].plan(action, by: entry.by, at: entry.time, in: self)
            if !effect.steps.isEmpty { try move(effect.steps, entry, journal) }
            effect.change(&tasks[place])
            taskDigests[place] = nil
            if !effect.events.isEmpty {
                reputations.add(effect.events)
                reputationDigest = nil
            }
            return effect.result
        }
    }

    private mutating func move(
        _ steps: [BookStep], _ entry: MarketEntry, _ journal: (BookEntry) -> Void
    ) throws(MarketRefusal) {
        let money = BookEntry(key: entry.key, time: entry.time, steps: steps)
        journal(money)
        switch book.apply(money) {
        case .done: return
        case .refused(let refusal): throw .book(refusal)
        // The market's own keys and times are checked before.
        case .keyIsTaken, .clockWentBack: throw .repeated("the entry's money was moved")
        }
    }

    private func demandOperator(_ party: PartyName) throws(MarketRefusal) {
        guard party == operatorName else { throw .party(party, expected: "the market's operator") }
    }

    private func demandAccount(_ party: PartyName) throws(MarketRefusal) {
        guard hasAccount(party) else {
            throw .party(party, expected: "a party that is registered")
        }
    }

    func hasAccount(_ party: PartyName) -> Bool { book[Self.account(of: party)] != nil }

    /// What a party deposits for a gain of fraud in a role.
    ///
    /// - Throws: `reputation`.
    func deposit(_ party: PartyName, as role: Role, gain: Int64) throws(MarketRefusal) -> Int64 {
        guard let deposit = deposit(of: party, as: role, gain: gain) else {
            throw .reputation(party, role)
        }
        return deposit
    }

    // MARK: what must hold

    /// SHA-256 over a canonical form of everything: the history, the book's ``Book/stateHash``, and digests of tasks and reputations as JSON of integers and
    /// texts with sorted keys. It takes time in proportion to the accounts and to the tasks that changed since ``rememberDigests()``.
    ///
    /// - Throws: What the encoder throws, which it does not for these.
    public func stateHash() throws -> Digest256 {
        var bytes = CanonicalBytes("market-state")
        // Who operates it and how deposits follow: a state is none of a market that was described otherwise.
        bytes.append(beginning)
        bytes.append(history)
        bytes.append(time)
        bytes.append(book.stateHash)
        for (task, digest) in zip(tasks, taskDigests) { bytes.append(try digest ?? Self.digest(task)) }
        bytes.append(try reputationDigest ?? Self.digest(reputations))
        return bytes.digest
    }

    /// Keeps the digests that ``stateHash()`` needs: what does not change is hashed once.
    ///
    /// - Throws: As there.
    public mutating func rememberDigests() throws {
        for place in tasks.indices where taskDigests[place] == nil {
            taskDigests[place] = try Self.digest(tasks[place])
        }
        if reputationDigest == nil { reputationDigest = try Self.digest(reputations) }
    }

    private static func digest(_ value: some Encodable) throws -> Digest256 {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return .sha256([UInt8](try encoder.encode(value)))
    }

    /// Why an action would be refused at a time, as things stand; nil: it would be done. It takes a copy of what it changes.
    public func refusal(of action: MarketAction, by party: PartyName, at time: Int64) -> MarketRefusal? {
        var copy = self
        let entry = MarketEntry(key: .fresh(), time: max(time, self.time), by: party, action: action)
        do throws(MarketRefusal) {
            _ = try copy.perform(entry) { _ in }
            return nil
        } catch { return error }
    }

    /// What a party deposits in a role in which one fraud brings so much, in minor units; nil: its reputation is too low.
    public func deposit(of party: PartyName, as role: Role, gain: Int64) -> Int64? {
        policy.deposit(for: gain, reputation: reputations[party, role])
    }

    // MARK: what is due

    /// What the operator asks for when its clock says so: what ends by time alone, payouts whose challenge is over, and challenges whose declaration has a checkpoint.
    ///
    /// - Parameters:
    ///   - time: The clock's, in seconds.
    ///   - checkpoint: The log's, signed over every entry of the market; nil: there is none yet.
    public func due(at time: Int64, checkpoint: Digest256?) -> [MarketAction] {
        guard let clerk = hasAccount(operatorName) ? operatorName : nil else { return [] }
        return tasks.compactMap { task in
            let turn = MarketTask.Turn(party: clerk, time: time, market: self)
            switch task.stage {
            case .declared:
                if let checkpoint { return .task(task.id, .checkpoint(checkpoint)) }
            case .challenge:
                guard time >= task.stageEnds else { return nil }
                return .task(task.id, .settle(seed: .fresh(), binding: Array("internal credits".utf8)))
            case .draft, .paidOut, .cancelled, .expired: return nil
            case .funded, .open, .training, .dispute, .settled: break
            }
            return (try? task.tick(turn)) == nil ? nil : .task(task.id, .tick)
        }
    }
}
