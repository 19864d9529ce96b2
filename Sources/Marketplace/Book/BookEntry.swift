/// An amount from one account to another.
public struct Movement: Sendable, Hashable, Codable {
    /// The account that is debited.
    public let from: AccountName
    /// The account that is credited.
    public let to: AccountName
    /// In minor units, above zero.
    public let amount: Int64

    /// The movement; it is checked where it is applied.
    public init(from: AccountName, to: AccountName, amount: Int64) {
        self.from = from
        self.to = to
        self.amount = amount
    }
}

/// One step of an entry.
public enum BookStep: Sendable, Hashable, Codable {
    /// Opens an account.
    case open(AccountName, rule: AccountRule)
    /// Moves an amount at once.
    case move(Movement)
    /// Holds an amount under a name that no hold had before, at the longest until a time (in the clock's unit); nil: until it is posted or voided.
    case hold(Digest256, Movement, until: Int64?)
    /// Moves so much of what is held, 0 to all of it; the rest is free again.
    case post(Digest256, amount: Int64)
    /// Frees what is held.
    case void(Digest256)
}

/// What is done to the book, all of it or nothing: a line of its journal.
public struct BookEntry: Sendable, Hashable, Codable {
    /// The most steps of an entry.
    public static let mostSteps = 65_536

    /// Names the entry: whoever asks again with the same key has the same answer, and nothing is done twice.
    public let key: Digest256
    /// The clock's time, from 0, which does not go back. No part of the content: a repeated entry may come later.
    public let time: Int64
    /// In their order, 1 to ``mostSteps``.
    public let steps: [BookStep]

    /// The entry; it is checked where it is applied.
    public init(key: Digest256, time: Int64, steps: [BookStep]) {
        self.key = key
        self.time = time
        self.steps = steps
    }

    /// A digest of the steps.
    var content: Digest256 {
        var bytes = CanonicalBytes("book-entry")
        bytes.append(steps) { $1.append(to: &$0) }
        return bytes.digest
    }
}

extension BookStep {
    func append(to bytes: inout CanonicalBytes) {
        switch self {
        case .open(let name, let rule):
            bytes.append(1)
            bytes.append(name.text)
            bytes.append(rule == .neverBelowZero ? 0 : 1)
        case .move(let movement):
            bytes.append(2)
            movement.append(to: &bytes)
        case .hold(let hold, let movement, let until):
            bytes.append(3)
            bytes.append(hold)
            movement.append(to: &bytes)
            bytes.append(until)
        case .post(let hold, let amount):
            bytes.append(4)
            bytes.append(hold)
            bytes.append(amount)
        case .void(let hold):
            bytes.append(5)
            bytes.append(hold)
        }
    }
}

extension Movement {
    func append(to bytes: inout CanonicalBytes) {
        bytes.append(from.text)
        bytes.append(to.text)
        bytes.append(amount)
    }
}

/// What an entry came to.
public enum BookAnswer: Sendable, Hashable, Codable {
    /// It was done, as the entry of this number, from 0.
    case done(number: Int)
    /// Nothing was done, and nothing will be under this key.
    case refused(BookRefusal)
    /// The key stands for another content: nothing was done.
    case keyIsTaken
    /// The time is before one that the book has seen, or below 0: nothing was done, and the key is free.
    case clockWentBack(latest: Int64)
}

/// Why an entry was refused: at which step, and what would be right. Balances are the market's own accounts', never a value of a private table.
public enum BookRefusal: Error, Sendable, Hashable, Codable, CustomStringConvertible {
    /// An entry has no steps, or too many.
    case stepCount(Int)
    /// There is no such account.
    case noAccount(AccountName, step: Int)
    /// There is such an account already.
    case accountExists(AccountName, step: Int)
    /// An amount is zero or less, more than is held, or from an account to itself.
    case movement(step: Int)
    /// The account would fall below zero.
    case insufficient(AccountName, available: Int64, needed: Int64, step: Int)
    /// A sum would not fit into 64 bits.
    case overflow(AccountName, step: Int)
    /// There is no such hold, or it is no longer pending.
    case noHold(Digest256, step: Int)
    /// There is or was a hold of that name.
    case holdExists(Digest256, step: Int)

    /// What, where and what would be right.
    public var description: String {
        switch self {
        case .stepCount(let count): "an entry of \(count) steps: expected 1 to \(BookEntry.mostSteps)"
        case .noAccount(let name, let step): "step \(step): there is no account \(name): expected one that was opened"
        case .accountExists(let name, let step): "step \(step): the account \(name) exists: expected a new name"
        case .movement(let step):
            "step \(step): expected an amount above zero, no more than what is held, between two different accounts"
        case .insufficient(let name, let available, let needed, let step):
            "step \(step): \(name) has \(available) available: expected at least \(needed)"
        case .overflow(let name, let step):
            "step \(step): a sum of \(name) would pass \(Int64.max): expected smaller amounts"
        case .noHold(let hold, let step): "step \(step): \(hold) is not pending: expected a hold that is"
        case .holdExists(let hold, let step): "step \(step): a hold \(hold) was made before: expected a new name"
        }
    }
}
