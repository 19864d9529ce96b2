/// A double-entry book in whole minor units: accounts, transfers that are posted at once or held first, and entries that are applied once.
///
/// Pure: entries go in, state comes out, and time is what entries say. ``apply(_:)`` is total: whatever the entry, it returns an answer, and the book stays
/// balanced. Durability is the caller's: it stores an entry before it gives out the answer, and makes the same book again by applying the stored
/// entries in their order, refused ones included, since a key that was refused stays refused: who asks again after a lost answer must not
/// have something else happen. ``stateHash`` tells whether two books are the same.
///
/// **Threat model.** Whoever applies entries is the market itself: it authenticates who asks. The book guarantees that no sequence of entries makes or loses money,
/// brings an account below zero that must not be, applies a key twice, or traps.
public struct Book: Sendable {
    /// The latest time that an entry had.
    public private(set) var time: Int64 = 0
    /// How many entries were done.
    public private(set) var entryCount = 0
    /// A chain of digests over all entries with new keys and their answers, in their order.
    public private(set) var history = CanonicalBytes("book").digest
    private var accounts: [Account] = []
    private var places: [AccountName: Int] = [:]
    private var holds: [Digest256: Hold] = [:]
    private var expiries = ExpiryQueue()
    private var answers: [Digest256: (content: Digest256, answer: BookAnswer)] = [:]
    private var undo: [Undo] = []

    /// A book without accounts.
    public init() {}

    /// What a hold is, and what became of it.
    public struct Hold: Sendable, Hashable {
        /// What it is for.
        public let movement: Movement
        /// When it ends at the latest.
        public let until: Int64?
        /// What became of it.
        public internal(set) var state = State.pending

        /// What became of a hold.
        public enum State: Sendable, Hashable {
            /// It holds.
            case pending
            /// So much was moved.
            case posted(Int64)
            /// It was freed, by an entry or by time.
            case voided, expired
        }
    }

    private enum Undo {
        case account(Int, Account)
        case opened
        case hold(Digest256, Hold?)
    }

    /// The account of that name.
    public subscript(_ name: AccountName) -> Account? { places[name].map { accounts[$0] } }

    /// The hold of that name, pending or not.
    public func hold(_ name: Digest256) -> Hold? { holds[name] }

    /// All accounts, by name.
    public var sortedAccounts: [Account] { accounts.sorted { $0.name < $1.name } }

    /// What the entry of that key came to, if there was one.
    public func answer(to key: Digest256) -> BookAnswer? { answers[key]?.answer }

    /// Applies an entry, whole or not at all. The same key and steps again change nothing and have the same answer.
    ///
    /// Holds whose time has come by the entry's time are freed first.
    public mutating func apply(_ entry: BookEntry) -> BookAnswer {
        let content = entry.content
        if let known = answers[entry.key] { return known.content == content ? known.answer : .keyIsTaken }
        guard entry.time >= time else { return .clockWentBack(latest: time) }
        time = entry.time
        expire()
        var answer: BookAnswer
        do throws(BookRefusal) {
            try perform(entry.steps)
            answer = .done(number: entryCount)
            entryCount += 1
        } catch {
            answer = .refused(error)
        }
        answers[entry.key] = (content, answer)
        record(entry, content, answer)
        return answer
    }

    private mutating func record(_ entry: BookEntry, _ content: Digest256, _ answer: BookAnswer) {
        var bytes = CanonicalBytes("book-history")
        bytes.append(history)
        bytes.append(entry.key)
        bytes.append(entry.time)
        bytes.append(content)
        if case .done = answer { bytes.append(1) } else { bytes.append(0) }
        history = bytes.digest
    }

    // MARK: steps

    private mutating func perform(_ steps: [BookStep]) throws(BookRefusal) {
        guard (1...BookEntry.mostSteps).contains(steps.count) else { throw .stepCount(steps.count) }
        undo.removeAll(keepingCapacity: true)
        do throws(BookRefusal) {
            for (place, step) in steps.enumerated() { try take(step, at: place) }
        } catch {
            revert()
            throw error
        }
    }

    private mutating func take(_ step: BookStep, at place: Int) throws(BookRefusal) {
        switch step {
        case .open(let name, let rule):
            guard places[name] == nil else { throw .accountExists(name, step: place) }
            undo.append(.opened)
            places[name] = accounts.count
            accounts.append(Account(name: name, rule: rule))
        case .move(let movement):
            try change(movement, at: place, by: movement.amount, pending: 0)
        case .hold(let name, let movement, let until):
            guard holds[name] == nil else { throw .holdExists(name, step: place) }
            // A hold that is over before it begins would be found by the next entry only.
            guard until ?? .max > time else { throw .movement(step: place) }
            try change(movement, at: place, by: 0, pending: movement.amount)
            undo.append(.hold(name, nil))
            holds[name] = Hold(movement: movement, until: until)
            if let until { expiries.insert(name, at: until) }
        case .post(let name, let amount):
            let hold = try pending(name, at: place)
            guard (0...hold.movement.amount).contains(amount) else { throw .movement(step: place) }
            try change(hold.movement, at: place, by: amount, pending: -hold.movement.amount)
            end(name, as: .posted(amount))
        case .void(let name):
            let hold = try pending(name, at: place)
            try change(hold.movement, at: place, by: 0, pending: -hold.movement.amount)
            end(name, as: .voided)
        }
    }

    private func pending(_ name: Digest256, at place: Int) throws(BookRefusal) -> Hold {
        guard let hold = holds[name], hold.state == .pending else { throw .noHold(name, step: place) }
        return hold
    }

    private mutating func end(_ name: Digest256, as state: Hold.State) {
        undo.append(.hold(name, holds[name]))
        holds[name]?.state = state
    }

    /// Adds to both accounts of a movement; one of the two changes may be zero, and only what is pending may shrink.
    private mutating func change(
        _ movement: Movement, at place: Int, by posted: Int64, pending: Int64
    ) throws(BookRefusal) {
        guard movement.amount > 0, movement.from != movement.to else { throw .movement(step: place) }
        guard let debit = places[movement.from] else { throw .noAccount(movement.from, step: place) }
        guard let credit = places[movement.to] else { throw .noAccount(movement.to, step: place) }
        var (from, to) = (accounts[debit], accounts[credit])
        guard Self.add(posted, to: &from.debitsPosted), Self.add(pending, to: &from.debitsPending) else {
            throw .overflow(movement.from, step: place)
        }
        guard Self.add(posted, to: &to.creditsPosted), Self.add(pending, to: &to.creditsPending) else {
            throw .overflow(movement.to, step: place)
        }
        if from.rule == .neverBelowZero, posted > 0 || pending > 0, from.available < 0 {
            let needed = max(posted, pending)
            throw .insufficient(movement.from, available: accounts[debit].available, needed: needed, step: place)
        }
        undo.append(.account(debit, accounts[debit]))
        undo.append(.account(credit, accounts[credit]))
        accounts[debit] = from
        accounts[credit] = to
    }

    private static func add(_ change: Int64, to sum: inout Int64) -> Bool {
        let (result, overflow) = sum.addingReportingOverflow(change)
        sum = result
        return !overflow
    }

    private mutating func revert() {
        for step in undo.reversed() {
            switch step {
            case .account(let place, let account): accounts[place] = account
            case .opened: places[accounts.removeLast().name] = nil
            case .hold(let name, let hold): holds[name] = hold
            }
        }
    }

    private mutating func expire() {
        while let name = expiries.removeFirst(by: time) {
            guard var hold = holds[name], hold.state == .pending, hold.until ?? .max <= time,
                let debit = places[hold.movement.from], let credit = places[hold.movement.to]
            else { continue }
            accounts[debit].debitsPending -= hold.movement.amount
            accounts[credit].creditsPending -= hold.movement.amount
            hold.state = .expired
            holds[name] = hold
        }
    }

    // MARK: what must hold

    /// Whether debits equal credits, posted and pending, and no account is below zero that must not be.
    public var isBalanced: Bool {
        var (posted, pending) = (Int128(0), Int128(0))
        for account in accounts {
            posted += Int128(account.creditsPosted) - Int128(account.debitsPosted)
            pending += Int128(account.creditsPending) - Int128(account.debitsPending)
            guard account.debitsPending >= 0, account.creditsPending >= 0 else { return false }
            if account.rule == .neverBelowZero, account.available < 0 { return false }
        }
        return posted == 0 && pending == 0
    }

    /// SHA-256 over a canonical form: the history, the time, the accounts by name, and the pending holds by name.
    ///
    /// Two books have it in common only if they have the same accounts and were told the same. It takes time in proportion to accounts and holds.
    public var stateHash: Digest256 {
        var bytes = CanonicalBytes("book-state")
        bytes.append(history)
        bytes.append(time)
        bytes.append(entryCount)
        bytes.append(sortedAccounts) { bytes, account in
            bytes.append(account.name.text)
            bytes.append(account.rule == .neverBelowZero ? 0 : 1)
            bytes.append(account.debitsPosted)
            bytes.append(account.creditsPosted)
            bytes.append(account.debitsPending)
            bytes.append(account.creditsPending)
        }
        let pending = holds.filter { $0.value.state == .pending }.sorted { $0.key < $1.key }
        bytes.append(pending) { bytes, hold in
            bytes.append(hold.key)
            hold.value.movement.append(to: &bytes)
            bytes.append(hold.value.until)
        }
        return bytes.digest
    }
}
