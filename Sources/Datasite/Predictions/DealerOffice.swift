import Crypto
import DatasiteProtocol
import EncryptedPrediction
public import Foundation
import SecureComputation
import Synchronization

/// A dealer at work: answers signed questions from its folder. Sessions are in memory alone: they end with the process.
public final class DealerOffice: Sendable {
    private let folder: DealerFolder
    private let desk: Mutex<DealerDesk>
    private let writing = Mutex(())
    private let lock: ServerLock
    private let now: @Sendable () -> UInt64
    /// Steps are made two at a time: each takes twice its bytes, of which there may be half a gigabyte.
    private let makers = EngineThreads(threads: 2, queueLimit: 64, givesWay: true, words: "the dealer's threads are")

    /// Its key.
    public var key: Data { folder.key.publicKey.rawRepresentation }

    /// Opens a dealer's folder, which it holds for as long as it lives.
    ///
    /// - Throws: A `Problem`.
    public convenience init(_ folder: DealerFolder) throws {
        try self.init(folder, now: { UInt64(max(0, Date().timeIntervalSince1970)) })
    }

    init(_ folder: DealerFolder, now: @escaping @Sendable () -> UInt64) throws {
        self.folder = folder
        self.now = now
        lock = try ServerLock(
            path: folder.path + "/server.lock",
            busy: .conflict("another process serves this dealer", hint: "stop it first: one server a dealer"))
        desk = Mutex(
            DealerDesk(
                key: folder.key.publicKey.rawRepresentation, parties: Set(try folder.parties().map(\.key)),
                masks: try folder.masks()))
    }

    /// A reply that is held until it is sent.
    public struct Held: Sendable {
        /// Its bytes.
        public let bytes: [UInt8]
        let holding: Holding
    }

    /// What is held of replies: of all so many bytes, and of one asker one large reply at a time.
    final class Holding: Sendable {
        private let office: DealerOffice
        private let asker: Data
        /// For whom the party is dealt, that the operator did not admit herself; nil: she did.
        private let owner: Data?
        private let count: Int

        /// Only of a place that was taken: its end frees it.
        private init(_ office: DealerOffice, _ asker: Data, of owner: Data?, count: Int) {
            (self.office, self.asker, self.owner, self.count) = (office, asker, owner, count)
        }

        /// - Parameters:
        ///   - owner: Of the session, where the asker is its other party, of which there are as many as one draws keys.
        ///   - bytes: Of the reply; it is held twice.
        /// - Returns: nil: there is no room now.
        static func taking(_ office: DealerOffice, _ asker: Data, of owner: Data?, bytes: Int) -> Holding? {
            let count = 2 * bytes
            let isThere = office.held.withLock { held in
                guard count > DealerOffice.small else { return true }
                guard held.bytes + count <= DealerOffice.mostHeld || held.bytes == 0, !held.askers.contains(asker)
                else { return false }
                if let owner {
                    // However many keys somebody draws, half is left to those whom the operator admitted, and a quarter to the others of other sites.
                    let (all, own) = (held.strangers.values.reduce(0, +), held.strangers[owner] ?? 0)
                    guard all + count <= DealerOffice.mostHeld / 2 || all == 0,
                        own + count <= DealerOffice.mostHeld / 4 || own == 0
                    else { return false }
                    held.strangers[owner, default: 0] += count
                }
                held.bytes += count
                held.askers.insert(asker)
                return true
            }
            return isThere ? Holding(office, asker, of: owner, count: count) : nil
        }

        deinit {
            guard count > DealerOffice.small else { return }
            office.held.withLock { held in
                held.bytes -= count
                held.askers.remove(asker)
                if let owner { held.strangers[owner, default: 0] -= count }
            }
        }
    }

    /// Bytes of large replies that are held at a time, each counted twice: it is framed, and sent.
    private static let mostHeld = 2 << 30
    /// A smaller reply is not counted.
    private static let small = 1 << 16
    private let held = Mutex((bytes: 0, askers: Set<Data>(), strangers: [Data: Int]()))

    /// Answers a signed question with a signed reply, which is counted until it is let go.
    ///
    /// - Throws: A `Problem`; of status 503 where there is no room for the reply now.
    public func answer(_ bytes: [UInt8]) async throws -> Held {
        let question: SignedQuestion
        let asked: DealerQuestion
        do throws(DealingError) {
            question = try SignedQuestion(reading: bytes)
            asked = try question.verified(at: key, now: now())
        } catch { throw Self.problem(error) }
        // Whom the operator admitted since.
        let parties = Set(try folder.parties().map(\.key))
        let (instant, asker) = (now(), question.asker)
        let (content, holding) = try await makers.run(for: asker.base64EncodedString()) {
            try self.content(asked, asker, parties, at: instant)
        }
        return Held(bytes: try question.reply(content, key: folder.key), holding: holding)
    }

    private func content(
        _ asked: DealerQuestion, _ asker: Data, _ parties: Set<Data>, at instant: UInt64
    ) throws -> ([UInt8], Holding) {
        let taken: (work: DealerDesk.Work, holding: Holding?)
        do {
            // A program takes a while to be made, and nobody else waits for that; nor is it made for strangers.
            var program: Program?
            if case .session(let terms, let rows, _, _) = asked, parties.contains(asker) {
                program = try DealerDesk.program(of: terms, rows: rows)
            }
            taken = try desk.withLock { [program] desk in
                desk.parties = parties
                let work = try desk.take(asked, from: asker, now: instant, program: program)
                let holding = Holding.taking(self, asker, of: desk.owner(of: asked, by: asker), bytes: work.count)
                // Who finds no room had nothing.
                if holding == nil { desk.giveBack(asked, of: asker) }
                return (work, holding)
            }
        } catch let error as DealingError { throw Self.problem(error) }
        let work = taken.work
        guard let holding = taken.holding else { throw Problem.busy("the dealer's places for large replies are") }
        if case .keep(let mask) = work {
            // One at a time: what is stored holds all before it.
            try writing.withLock { _ in
                var masks = try folder.masks()
                masks[asker, default: []].append(mask)
                try folder.store(masks)
            }
            desk.withLock { $0.keep(mask, of: asker) }
        }
        return (work.bytes, holding)
    }

    private static func problem(_ error: DealingError) -> Problem {
        switch error {
        case .malformed, .otherDealer, .clock, .program: .invalidRequest("\(error)")
        case .signature, .stranger: .forbidden("\(error)")
        case .session, .mask: .absent("\(error)")
        case .full: .conflict("\(error)")
        }
    }
}
