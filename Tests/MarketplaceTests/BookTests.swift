import Foundation
import Secrets
import Testing

@testable import Marketplace

@Suite("The book")
struct BookTests {
    private let out = account("outside")
    private let a = account("a")
    private let b = account("b")
    private let c = account("c")

    /// A book with three accounts, of which a has so much.
    private func book(_ amount: Int64 = 1_000) -> Book {
        var book = Book()
        let steps: [BookStep] = [
            .open(out, rule: .unbounded), .open(a, rule: .neverBelowZero), .open(b, rule: .neverBelowZero),
            .open(c, rule: .neverBelowZero), .move(Movement(from: out, to: a, amount: amount)),
        ]
        #expect(book.apply(BookEntry(key: hashed("open"), time: 0, steps: steps)) == .done(number: 0))
        return book
    }

    private func move(_ amount: Int64, _ from: AccountName, _ to: AccountName) -> BookStep {
        .move(Movement(from: from, to: to, amount: amount))
    }

    private func entry(_ key: String, _ steps: BookStep..., time: Int64 = 0) -> BookEntry {
        BookEntry(key: hashed(key), time: time, steps: steps)
    }

    private func balances(_ book: Book) -> [Int64] { [a, b, c].map { book[$0]?.balance ?? -1 } }

    @Test("A transfer moves, and the same key again does nothing and has the same answer")
    func idempotent() {
        var book = book()
        #expect(book.apply(entry("one", move(300, a, b))) == .done(number: 1))
        let hash = book.stateHash
        #expect(book.apply(entry("one", move(300, a, b), time: 9)) == .done(number: 1))
        #expect(book.apply(entry("one", move(301, a, b))) == .keyIsTaken)
        #expect(book.stateHash == hash && balances(book) == [700, 300, 0])
    }

    @Test("A refused key stays refused, though the money has come since")
    func refusedStays() {
        var book = book()
        let greedy = entry("greedy", move(2_000, a, b))
        let refusal = BookAnswer.refused(.insufficient(a, available: 1_000, needed: 2_000, step: 0))
        #expect(book.apply(greedy) == refusal)
        #expect(book.apply(entry("more", move(5_000, out, a))) == .done(number: 1))
        #expect(book.apply(greedy) == refusal)
        #expect(book.apply(entry("again", move(2_000, a, b))) == .done(number: 2))
    }

    @Test("An entry is done whole or not at all: also what it opened, held and posted is undone")
    func whole() {
        var book = book()
        let held = hashed("hold")
        _ = book.apply(entry("hold", .hold(held, Movement(from: a, to: b, amount: 400), until: 50)))
        let accounts = book.sortedAccounts
        let answer = book.apply(
            entry(
                "much", .open(account("d"), rule: .neverBelowZero), move(100, a, account("d")),
                .post(held, amount: 10), .hold(hashed("h2"), Movement(from: a, to: c, amount: 5), until: 8),
                move(1, account("d"), account("nobody"))))
        #expect(answer == .refused(.noAccount(account("nobody"), step: 4)))
        #expect(book.sortedAccounts == accounts && book.hold(held)?.state == .pending && book.hold(hashed("h2")) == nil)
        #expect(book[account("d")] == nil)
        // The name is free again, and a time that the undone hold had frees nothing.
        #expect(book.apply(entry("d", .open(account("d"), rule: .neverBelowZero), time: 9)) == .done(number: 2))
        #expect(book.isBalanced)
    }

    @Test("A hold keeps money from being spent; posted in part, the rest is free again; voided and expired, all")
    func holds() {
        var book = book()
        let names = (0..<4).map { hashed("hold \($0)") }
        for name in names.prefix(3) {
            _ = book.apply(
                BookEntry(
                    key: name, time: 0, steps: [.hold(name, Movement(from: a, to: b, amount: 300), until: 100)]))
        }
        #expect(book[a]?.available == 100 && book[a]?.balance == 1_000 && book[b]?.creditsPending == 900)
        #expect(
            book.apply(entry("spend", move(101, a, c)))
                == .refused(.insufficient(a, available: 100, needed: 101, step: 0)))
        #expect(book.apply(entry("post", .post(names[0], amount: 120))) == .done(number: 4))
        #expect(book[a]?.available == 280 && book[b]?.balance == 120)
        #expect(book.apply(entry("void", .void(names[1]))) == .done(number: 5))
        #expect(book.apply(entry("twice", .void(names[1]))) == .refused(.noHold(names[1], step: 0)))
        #expect(book.apply(entry("after", .post(names[0], amount: 1))) == .refused(.noHold(names[0], step: 0)))
        #expect(book.apply(entry("more", .post(names[2], amount: 301))) == .refused(.movement(step: 0)))
        // At 99 it holds; at 100 it has expired, before the entry's own steps.
        #expect(book.apply(entry("late", move(581, a, c), time: 99)) != .done(number: 6))
        #expect(book.apply(entry("free", move(880, a, c), time: 100)) == .done(number: 6))
        #expect(book.hold(names[2])?.state == .expired && book.isBalanced && balances(book) == [0, 120, 880])
        #expect(
            book.apply(
                entry("same", .hold(names[2], Movement(from: b, to: a, amount: 1), until: nil), time: 100))
                == .refused(.holdExists(names[2], step: 0)))
        #expect(
            book.apply(entry("past", .hold(names[3], Movement(from: b, to: a, amount: 1), until: 100), time: 100))
                == .refused(.movement(step: 0)))
    }

    @Test("Amounts that are none, to oneself, or that no sum holds are refused, and nothing traps")
    func wrong() {
        var book = book()
        for (number, amount) in [0, -1, Int64.min].enumerated() {
            #expect(book.apply(entry("n\(number)", move(amount, a, b))) == .refused(.movement(step: 0)))
            let held = BookStep.hold(hashed("x"), Movement(from: a, to: b, amount: amount), until: nil)
            #expect(book.apply(entry("h\(number)", held)) == .refused(.movement(step: 0)))
        }
        #expect(book.apply(entry("self", move(1, a, a))) == .refused(.movement(step: 0)))
        #expect(book.apply(entry("none")) == .refused(.stepCount(0)))
        let many = BookEntry(
            key: hashed("many"), time: 0, steps: Array(repeating: move(1, a, b), count: BookEntry.mostSteps + 1))
        #expect(book.apply(many) == .refused(.stepCount(BookEntry.mostSteps + 1)))
        #expect(book.apply(entry("max", move(.max, out, b))) == .refused(.overflow(out, step: 0)))
        #expect(book.apply(entry("max2", move(.max - 1_000, out, b))) == .done(number: 1))
        // The outside has owed all that 64 bits hold: no more comes from it, while what is there still moves.
        #expect(book.apply(entry("one more", move(1, out, c))) == .refused(.overflow(out, step: 0)))
        #expect(book.apply(entry("over", move(1_000, a, c), move(.max - 1_000, b, c))) == .done(number: 2))
        #expect(book.apply(entry("back", move(1, c, a))) == .done(number: 3))
        #expect(book.apply(entry("again", move(1, a, c))) == .refused(.overflow(c, step: 0)))
        #expect(book.isBalanced)
        #expect(book.apply(entry("t", move(1, c, a), time: -1)) == .clockWentBack(latest: 0))
    }

    @Test("Time that goes back changes nothing, and leaves the key free")
    func clock() {
        var book = book()
        _ = book.apply(entry("one", move(1, a, b), time: 10))
        #expect(book.apply(entry("two", move(1, a, b), time: 9)) == .clockWentBack(latest: 10))
        #expect(book.apply(entry("two", move(1, a, b), time: 10)) == .done(number: 2))
    }

    @Test("Names and values that are none are not read")
    func decoding() throws {
        for text in ["\"\"", "\"a b\"", "\"\(String(repeating: "a", count: 161))\"", "\"ä\"", "3"] {
            #expect(throws: (any Error).self) { try JSONDecoder().decode(AccountName.self, from: Data(text.utf8)) }
        }
        for text in ["\"\"", "\"A\"", "\"a/b\"", "\"\(String(repeating: "a", count: 65))\""] {
            #expect(throws: (any Error).self) { try JSONDecoder().decode(PartyName.self, from: Data(text.utf8)) }
        }
        let hex = hashed("x").hex
        for text in [hex.uppercased(), String(hex.dropLast()), hex + "0", String(hex.dropLast()) + "g"] {
            #expect(throws: (any Error).self) {
                try JSONDecoder().decode(Digest256.self, from: Data("\"\(text)\"".utf8))
            }
        }
        #expect(throws: (any Error).self) {
            try JSONDecoder().decode(Score.self, from: Data("1000000000000001".utf8))
        }
        #expect(Digest256(hex: hex) == hashed("x") && hashed("x").bytes.count == 32)
        // FIPS 180-4's example: SHA-256 of "abc".
        #expect(hashed("abc").hex == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
    }

    // MARK: random entries

    /// A book of the simplest kind: lists of what happened, added up anew for every question.
    private struct Ledger {
        var moves: [Movement] = []
        var holds: [(name: Digest256, movement: Movement, until: Int64?)] = []

        func balance(_ name: AccountName) -> Int64 {
            moves.reduce(0) { $0 + ($1.to == name ? $1.amount : 0) - ($1.from == name ? $1.amount : 0) }
        }
        func available(_ name: AccountName) -> Int64 {
            balance(name) - holds.reduce(0) { $0 + ($1.movement.from == name ? $1.movement.amount : 0) }
        }
        mutating func apply(_ entry: BookEntry, unbounded: AccountName) -> Bool {
            holds.removeAll { $0.until.map { $0 <= entry.time } ?? false }
            var next = self
            for step in entry.steps {
                switch step {
                case .open: return false
                case .move(let movement):
                    guard movement.from == unbounded || next.available(movement.from) >= movement.amount else {
                        return false
                    }
                    next.moves.append(movement)
                case .hold(let name, let movement, let until):
                    guard movement.from == unbounded || next.available(movement.from) >= movement.amount else {
                        return false
                    }
                    next.holds.append((name, movement, until))
                case .post(let name, let amount):
                    guard let place = next.holds.firstIndex(where: { $0.name == name }) else { return false }
                    let movement = next.holds.remove(at: place).movement
                    guard amount <= movement.amount else { return false }
                    next.moves.append(Movement(from: movement.from, to: movement.to, amount: amount))
                case .void(let name):
                    guard let place = next.holds.firstIndex(where: { $0.name == name }) else { return false }
                    next.holds.remove(at: place)
                }
            }
            self = next
            return true
        }
    }

    @Test(
        "Random entries: the book agrees with a list of movements, debits equal credits, and a replay has the same hash",
        arguments: 1...12 as ClosedRange<UInt64>)
    func random(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        func below(_ bound: Int) -> Int { Int(random.next() % UInt64(bound)) }
        var book = Book()
        var ledger = Ledger()
        let names = ["outside", "a", "b", "c", "d"].map { account($0) }
        var journal = [
            BookEntry(
                key: hashed("open"), time: 0,
                steps: names.map { .open($0, rule: $0 == out ? .unbounded : .neverBelowZero) })
        ]
        _ = book.apply(journal[0])
        var (made, time, done) = (0, Int64(0), 0)
        for number in 0..<400 {
            time += Int64(below(4))
            var steps: [BookStep] = []
            for _ in 0...below(2) {
                let from = names[max(0, below(7) - 2)]
                let to = names.filter { $0 != from }[below(4)]
                let movement = Movement(from: from, to: to, amount: Int64(below(100)) + 1)
                switch below(6) {
                case 0...2: steps.append(.move(movement))
                case 3:
                    steps.append(
                        .hold(hashed("h\(made)"), movement, until: below(3) == 0 ? nil : time + Int64(below(30)) + 1))
                    made += 1
                case 4: steps.append(.post(hashed("h\(max(0, made - below(8)))"), amount: Int64(below(60))))
                default: steps.append(.void(hashed("h\(max(0, made - below(8)))")))
                }
            }
            // Posting nothing moves nothing: the plain list has no such movement.
            let entry = BookEntry(key: hashed("k\(number)"), time: time, steps: steps)
            let answer = book.apply(entry)
            journal.append(entry)
            if below(5) == 0 { #expect(book.apply(journal[below(journal.count)]) != .keyIsTaken) }
            let isDone = ledger.apply(entry, unbounded: out)
            if case .done = answer { #expect(isDone) } else { #expect(!isDone) }
            done += isDone ? 1 : 0
            #expect(book.isBalanced)
            for name in names {
                #expect(book[name]?.balance == ledger.balance(name) && book[name]?.available == ledger.available(name))
            }
        }
        #expect(done > 100 && done < 400)
        let lines = try journal.map { try JSONEncoder().encode($0) }
        var replayed = Book()
        for line in lines { _ = replayed.apply(try JSONDecoder().decode(BookEntry.self, from: line)) }
        #expect(replayed.stateHash == book.stateHash && replayed.sortedAccounts == book.sortedAccounts)
        // Another order, or one entry less, is another book.
        var other = Book()
        for line in lines.dropLast() { _ = other.apply(try JSONDecoder().decode(BookEntry.self, from: line)) }
        #expect(other.stateHash != book.stateHash)
    }
}
