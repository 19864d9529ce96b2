/// Where the money of tasks is, read off the movements of the book alone: it knows neither stages nor terms, and so finds what the tasks' own rules would hide.
public struct MarketMoney: Sendable {
    /// What went into a task and came out of it, pots apart from deposits.
    public struct Flow: Sendable, Hashable {
        /// Into the pots, and out of them to the sponsor and to everybody else.
        public var funded: Int128 = 0, refunded: Int128 = 0, paid: Int128 = 0
        /// Into the deposits, back to parties (a referee's fee included), and to nobody who takes part.
        public var deposited: Int128 = 0, returned: Int128 = 0, forfeited: Int128 = 0
        /// What lies in the pots and in the deposits.
        public var held: Int128 = 0, heldDeposits: Int128 = 0

        /// Nothing was moved.
        public init() {}

        /// Adds another task's.
        public mutating func add(_ other: Flow) {
            (funded, refunded, paid) = (funded + other.funded, refunded + other.refunded, paid + other.paid)
            deposited += other.deposited
            returned += other.returned
            forfeited += other.forfeited
            (held, heldDeposits) = (held + other.held, heldDeposits + other.heldDeposits)
        }

        /// Whether nothing was made and nothing lost.
        public var isWhole: Bool {
            funded == held + paid + refunded && deposited == heldDeposits + returned + forfeited
        }
    }

    private struct Sums {
        var funded: Int128 = 0, deposited: Int128 = 0, forfeited: Int128 = 0, returned: Int128 = 0
        var paid: [AccountName: Int128] = [:]
    }

    private var sums: [Digest256: Sums] = [:]

    /// Nothing was moved yet.
    public init() {}

    /// Notes the money of an entry that was done, as ``Market/apply(_:writing:)-(AdmittedEntry,_)`` gives it.
    public mutating func note(_ entry: BookEntry) {
        for case .move(let movement) in entry.steps {
            let (from, to) = (Place(movement.from), Place(movement.to))
            // Within a task, from its pots to what is due.
            guard from?.task != to?.task else { continue }
            if let to {
                if to.isDeposit {
                    sums[to.task, default: Sums()].deposited += Int128(movement.amount)
                } else {
                    sums[to.task, default: Sums()].funded += Int128(movement.amount)
                }
            }
            guard let from else { continue }
            switch (from.isDeposit, movement.to == Market.forfeits) {
            case (true, true): sums[from.task, default: Sums()].forfeited += Int128(movement.amount)
            case (true, false): sums[from.task, default: Sums()].returned += Int128(movement.amount)
            case (false, _): sums[from.task, default: Sums()].paid[movement.to, default: 0] += Int128(movement.amount)
            }
        }
    }

    /// What went in and out of a task so far, and what its accounts in the book hold.
    public func flow(of task: MarketTask, in book: Book) -> Flow {
        let sums = sums[task.id] ?? Sums()
        var flow = Flow()
        (flow.funded, flow.deposited) = (sums.funded, sums.deposited)
        (flow.returned, flow.forfeited) = (sums.returned, sums.forfeited)
        for (account, amount) in sums.paid {
            if account == Market.account(of: task.sponsor) { flow.refunded += amount } else { flow.paid += amount }
        }
        for account in task.accounts.all {
            let balance = Int128(book[account]?.balance ?? 0)
            if account == task.accounts.deposits { flow.heldDeposits += balance } else { flow.held += balance }
        }
        return flow
    }

    /// What of a market does not hold: money that was made or lost, a pot that is not what the terms say, payouts that are not what was funded or not what follows from
    /// the declaration. Nothing, if all is right.
    public func contradictions(in market: Market) -> [String] {
        var wrong: [String] = []
        if !market.book.isBalanced { wrong.append("debits are not credits") }
        for task in market.allTasks {
            let flow = flow(of: task, in: market.book)
            if !flow.isWhole { wrong.append("task \(task.id): funded is not held, paid and refunded: \(flow)") }
            let isFunded = task.stage != .draft && !(task.stage == .cancelled && flow.funded == 0)
            if isFunded, flow.funded != Int128(task.terms.pot.total) {
                wrong.append("task \(task.id): funded with another pot")
            }
            if task.stage.isOver, flow.held != 0 || flow.heldDeposits != 0 {
                wrong.append("task \(task.id): over, and something is held")
            }
            guard let settlement = task.settlement, let declaration = task.declaration else { continue }
            if settlement.payouts.reduce(Int128(0), { $0 + Int128($1.amount) }) != flow.funded {
                wrong.append("task \(task.id): payouts are not the pot")
            }
            let again = try? task.earnings(declaration).payouts(
                EndingTable.row(declaration.ending), terms: task.terms, sponsor: task.sponsor)
            if again != settlement.payouts {
                wrong.append("task \(task.id): payouts do not follow from the declaration")
            }
        }
        return wrong
    }
}

extension MarketMoney {
    /// A task's account.
    private struct Place {
        let task: Digest256
        let isDeposit: Bool

        init?(_ account: AccountName) {
            let parts = account.text.split(separator: "/")
            guard parts.count == 3, parts[0] == "task", let task = Digest256(hex: String(parts[1])) else { return nil }
            self.task = task
            isDeposit = account == MarketTask.Accounts(task).deposits
        }
    }
}
