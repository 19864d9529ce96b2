import Foundation
import Marketplace
import MarketplaceStore
import Secrets

/// The market's folder, and everybody's key: what a party asks is signed in its name.
final class MarketDesk {
    private let folder: MarketFolder
    private var signers: [PartyName: PartySigner] = [:]
    /// Seconds since the market's epoch: days of the story pass in a moment.
    private(set) var time: Int64 = 0

    init(at path: String, operatorName: PartyName) throws {
        // A fraud is found with four in five, and whoever has an expectation below .3 is not admitted.
        guard let policy = DepositPolicy(detectionMillionths: 800_000, leastExpectation: 300_000) else {
            throw Failure("The market's policy is out of range.")
        }
        folder = try MarketFolder.create(
            at: path, operatorName: operatorName, policy: policy, key: PlatformKey.generate())
        // It has an account, as all who act in a task.
        try operate(.register(operatorName, key: operatorKey))
    }

    var market: Market { folder.market }
    private var clerk: PartyName { folder.description.operatorName }
    var name: Digest256 { folder.description.market }
    var operatorKey: PartyKey { folder.description.operatorKey }

    func wait(until time: Int64) throws {
        self.time = max(self.time, time)
        _ = try operate(.clock)
    }

    func register(_ party: PartyName, purse: Int64) throws {
        guard let signer = PartySigner(seed: SecureRandom.bytes(32)) else { throw Failure("A seed has 32 bytes.") }
        signers[party] = signer
        _ = try operate(.register(party, key: signer.publicKey))
        _ = try operate(.credit(party, amount: purse))
    }

    /// - Throws: A `Failure` where it is refused.
    @discardableResult
    func operate(_ action: MarketAction) throws -> MarketResult {
        try done(clerk, folder.operate(action, at: time))
    }

    /// Brings the log's checkpoint to a task, which draws the rows that a dispute opens.
    func draw(for task: Digest256) throws { _ = try done(clerk, folder.draw(for: task, at: time)) }

    /// - Throws: A `Failure` where it is refused.
    @discardableResult
    func act(_ party: PartyName, _ action: MarketAction) throws -> MarketResult {
        try done(party, answer(party, action))
    }

    /// Asks for what must not be done.
    ///
    /// - Returns: Why it was refused.
    func refused(_ party: PartyName, _ action: MarketAction) throws -> String {
        guard case .refused(let refusal) = try answer(party, action) else {
            throw Failure("\(party) was allowed what must be refused.")
        }
        return "\(refusal)"
    }

    private func answer(_ party: PartyName, _ action: MarketAction) throws -> MarketAnswer {
        guard let signer = signers[party] else { throw Failure("\(party) has no key.") }
        let entry = try signer.sign(action, by: party, in: folder.description.market)
        return try folder.apply([entry])[0]
    }

    private func done(_ party: PartyName, _ answer: MarketAnswer) throws -> MarketResult {
        guard case .done(let result) = answer else { throw Failure("What \(party) asked was not done: \(answer)") }
        return result
    }

    /// What anybody finds who has a copy of the folder and the operator's key.
    func audited() throws -> MarketAudit { try MarketAudit(of: folder.path, key: operatorKey) }

    /// The digest of the log's signed checkpoint: nobody knows it before the entries stand.
    func checkpoint() throws -> Digest256 {
        let path = folder.path + "/checkpoint"
        guard let bytes = FileManager.default.contents(atPath: path) else { throw Failure("\(path) cannot be read.") }
        return .sha256(Array(bytes))
    }
}
