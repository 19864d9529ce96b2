import Foundation

@testable import Marketplace

/// Audits a market from its journal alone, in another way than the market works: it keeps no state machine, but the list of entries that were done, and answers every
/// question by looking through it. What it expects of every purse is compared with the book after each entry.
struct Auditor {
    typealias Purse = [PartyName: Int]

    /// What was done in a task, in its order.
    struct File {
        let sponsor: PartyName
        var terms: TaskTerms
        var entries: [(time: Int64, by: PartyName, action: TaskAction, result: MarketResult)] = []
        /// Money in and out of the task.
        var funded = 0, paid = 0, refunded = 0, depositsTaken = 0, depositsOut = 0
        var deposits: [(role: Role, party: PartyName, amount: Int)] = []
        var leaves: [(role: Role, party: PartyName, amount: Int)] = []
        var isSettled = false
        var isOver = false
    }

    private(set) var purses: Purse = [:]
    private(set) var files: [Digest256: File] = [:]
    private(set) var forfeited = 0
    private(set) var outside = 0
    private(set) var endings: [Ending: Int] = [:]
    private(set) var conducts: [String: Int] = [:]
    /// Good and bad outcomes by party and role, in their order.
    private var outcomes: [String: [Bool]] = [:]

    // MARK: entries

    mutating func take(_ entry: MarketEntry, _ result: MarketResult) {
        switch entry.action {
        case .clock, .rotate: break
        case .register(let party, _): purses[party] = 0
        case .credit(let party, let amount):
            purses[party, default: 0] += Int(amount)
            outside += Int(amount)
        case .withdraw(let amount):
            purses[entry.by, default: 0] -= Int(amount)
            outside -= Int(amount)
        case .draft(let terms): files[entry.key] = File(sponsor: entry.by, terms: terms)
        case .task(let task, let action): take(task, action, entry, result)
        }
    }

    private mutating func take(_ task: Digest256, _ action: TaskAction, _ entry: MarketEntry, _ result: MarketResult) {
        guard var file = files[task] else { return }
        file.entries.append((entry.time, entry.by, action, result))
        switch action {
        case .amend(let terms): file.terms = terms
        case .fund:
            file.funded = Int(file.terms.pot.data + file.terms.pot.computation + file.terms.pot.expertise)
            purses[file.sponsor, default: 0] -= file.funded
            deposit(&file, .sponsor, entry.by, Int(file.terms.pot.data + file.terms.pot.expertise))
        case .commitProposal: deposit(&file, .scientist, entry.by, Int(file.terms.gains.scientist))
        case .join(let role):
            deposit(&file, role, entry.by, Int(role == .owner ? file.terms.gains.owner : file.terms.gains.provider))
        case .dispute:
            // No reputation has a part in this one.
            purses[entry.by, default: 0] -= Int(file.terms.gains.dispute)
            file.depositsTaken += Int(file.terms.gains.dispute)
        case .settle: settle(&file, task)
        case .claim(let claim): pay(&file, at: claim.leaf.index)
        case .cancel:
            if file.funded > 0 { refund(&file, .cancelled) }
            file.isOver = true
        case .tick: tick(&file)
        default: break
        }
        files[task] = file
    }

    private mutating func deposit(_ file: inout File, _ role: Role, _ party: PartyName, _ gain: Int) {
        // Expectation by the whole list of outcomes; the straight lines of the policy, for p = .8.
        var (good, bad) = (0, 0)
        for isGood in outcomes["\(role) \(party)"] ?? [] {
            good = good * 95 / 100 + (isGood ? 1_000_000 : 0)
            bad = bad * 95 / 100 + (isGood ? 0 : 1_000_000)
        }
        let expectation = (good + 1_000_000) * 1_000_000 / (good + bad + 2_000_000)
        let multiple =
            expectation > 500_000
            ? 1_000_000 - (750_000 * (2 * expectation - 1_000_000)) / 1_000_000
            : 2_000_000 - 2 * expectation
        let amount = (gain * multiple + 999_999) / 1_000_000
        purses[party, default: 0] -= amount
        file.depositsTaken += amount
        file.deposits.append((role, party, amount))
    }

    private mutating func tick(_ file: inout File) {
        if !file.has(\.isOpen) {
            refund(&file, .notOpened)
        } else if !file.entries.contains(where: { $0.action.isShown }) {
            refund(&file, .noProposal)
        } else if file.isSettled {
            for index in file.leaves.indices { pay(&file, at: index) }
        }
    }

    private mutating func pay(_ file: inout File, at index: Int) {
        let leaf = file.leaves[index]
        purses[leaf.party, default: 0] += leaf.amount
        if leaf.role == .sponsor { file.refunded += leaf.amount } else { file.paid += leaf.amount }
        file.leaves[index].amount = 0
        file.isOver = file.leaves.allSatisfy { $0.amount == 0 }
    }

    private mutating func refund(_ file: inout File, _ ending: Ending) {
        purses[file.sponsor, default: 0] += file.funded
        file.refunded = file.funded
        file.isOver = true
        close(&file, ending)
    }

    // MARK: settlement

    private mutating func settle(_ file: inout File, _ task: Digest256) {
        let (ending, verdict, winner, isCorrected) = file.result
        let pot = file.terms.pot
        var shares: [(role: Role, party: PartyName, amount: Int)] = []
        var left = file.funded
        func add(_ role: Role, _ total: Int64, _ weights: [PartyName: Int]) {
            for (party, amount) in Self.hamilton(Int(total), weights) {
                shares.append((role, party, amount))
                left -= amount
            }
        }
        switch ending {
        case .won:
            let scores = verdict?.contributions.map { ($0.owner, max(0, Int($0.score.billionths))) } ?? []
            add(.owner, pot.data, Dictionary(uniqueKeysWithValues: scores))
        case .wonByDefault: add(.owner, pot.data, file.counted(winner.map { Set(file.path($0)) }))
        case .evaluatorFailed: add(.owner, pot.data, file.counted(nil))
        default: break
        }
        let scores = isCorrected ? file.corrected(verdict) : file.feedback.map { ($0.node, Int($0.score.billionths)) }
        if ending == .won || ending == .wonByDefault {
            let ancestors = pot.expertise * file.terms.formula.ancestorThousandths / 1_000
            add(.scientist, pot.expertise - ancestors, file.gains(scores))
            let path = Set(winner.map { file.path($0) } ?? [])
            add(.scientist, ancestors, file.gains(scores.filter { path.contains($0.0) }.sorted { $0.0 < $1.0 }))
        } else if ending == .evaluatorFailed {
            let modelled = Set(file.models.map { file.specification($0) })
            var weights: PursesByName = [:]
            for node in modelled where file.isFirst(node) { weights[file.owner(ofNode: node), default: 0] += 1 }
            add(.scientist, pot.expertise, weights)
        }
        for (number, job) in file.jobs.enumerated() where job.cost > 0 && !file.upheld(.job(number)) {
            shares.append((.provider, job.provider, job.cost))
            left -= job.cost
        }
        shares.append((.sponsor, file.sponsor, left))
        var sums: [Role: PursesByName] = [:]
        for share in shares { sums[share.role, default: [:]][share.party, default: 0] += share.amount }
        for role in Role.allCases {
            for (party, amount) in (sums[role] ?? [:]).sorted(by: { $0.key < $1.key }) where amount > 0 {
                file.leaves.append((role, party, amount))
            }
        }
        file.isSettled = true
        close(&file, ending)
    }

    typealias PursesByName = [PartyName: Int]

    /// Quotas rounded down, then one unit after the other to the greatest remainder.
    static func hamilton(_ total: Int, _ weights: PursesByName) -> [(PartyName, Int)] {
        let names = weights.keys.sorted()
        let sum = names.reduce(0) { $0 + Int128(weights[$1] ?? 0) }
        guard sum > 0 else { return [] }
        var parts = names.map { Int(Int128(total) * Int128(weights[$0] ?? 0) / sum) }
        var rests = names.map { Int128(total) * Int128(weights[$0] ?? 0) % sum }
        while parts.reduce(0, +) < total {
            guard let greatest = rests.max(), let place = rests.firstIndex(of: greatest) else { break }
            parts[place] += 1
            rests[place] = -1
        }
        return Array(zip(names, parts))
    }

    // MARK: deposits

    private mutating func close(_ file: inout File, _ ending: Ending) {
        endings[ending, default: 0] += 1
        var said: [String: [String]] = [:]
        var order: [String] = []
        func say(_ role: Role, _ party: PartyName, _ conduct: String) {
            if said["\(role) \(party)"] == nil { order.append("\(role) \(party)") }
            said["\(role) \(party)", default: []].append(conduct)
        }
        var proposal = 0
        for deposit in file.deposits {
            let conduct: String
            switch deposit.role {
            case .sponsor: conduct = file.sponsorConduct(ending)
            case .scientist:
                conduct = file.scientistConduct(proposal)
                proposal += 1
            case .owner: conduct = file.ownerConduct(deposit.party)
            default: conduct = file.providerConduct(deposit.party)
            }
            say(deposit.role, deposit.party, conduct)
            file.depositsOut += deposit.amount
            let about: [Int]
            switch (deposit.role, conduct) {
            case (_, "concealed"): about = []
            case (.sponsor, "refuted"):
                about = file.disputes.indices.filter {
                    file.disputes[$0] == .declaration && file.ruling($0)?.isUpheld == true
                }
            case (.provider, "refuted"):
                about = file.disputes.indices.filter {
                    if case .job(let job) = file.disputes[$0] {
                        return file.jobs[job].provider == deposit.party && file.ruling($0)?.isUpheld == true
                    }
                    return false
                }
            default:
                purses[deposit.party, default: 0] += deposit.amount
                continue
            }
            forfeit(file, deposit.amount, about)
        }
        for (number, accuser) in file.accusers.enumerated() {
            let amount = Int(file.terms.gains.dispute)
            file.depositsOut += amount
            if file.ruling(number) == .rejected {
                forfeit(file, amount, [number])
            } else {
                purses[accuser, default: 0] += amount
            }
        }
        for referee in file.terms.court.referees { say(.referee, referee, file.refereeConduct(referee)) }
        for name in order {
            let worst =
                ["refuted", "concealed", "vanished", "kept"].first { said[name]?.contains($0) ?? false } ?? "idle"
            conducts["\(name.split(separator: " ")[0]) \(worst)", default: 0] += 1
            if worst != "idle" { outcomes[name, default: []].append(worst == "kept") }
        }
    }

    private mutating func forfeit(_ file: File, _ amount: Int, _ disputes: [Int]) {
        var left = amount
        for number in disputes {
            let voters = file.terms.court.referees.filter { file.votes(number)[$0] == file.ruling(number) }
            let fee = min(left, Int(file.terms.court.fee))
            for (place, voter) in voters.enumerated() {
                // By equal shares, in the order of the terms.
                purses[voter, default: 0] += fee / voters.count + (place < fee % voters.count ? 1 : 0)
            }
            left -= fee
        }
        forfeited += left
    }
}

extension TaskAction {
    fileprivate var isOpen: Bool { self == .open }
    fileprivate var isShown: Bool { if case .showProposal = self { true } else { false } }
}

extension Ruling {
    fileprivate var isUpheld: Bool { if case .upheld = self { true } else { false } }
}
