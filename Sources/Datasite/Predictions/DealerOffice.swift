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
    /// Steps are made two at a time: each may take a gigabyte.
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

    /// Answers a signed question with a signed reply.
    ///
    /// - Throws: A `Problem`.
    public func answer(_ bytes: [UInt8]) async throws -> [UInt8] {
        let question: SignedQuestion
        let asked: DealerQuestion
        do throws(DealingError) {
            question = try SignedQuestion(reading: bytes)
            asked = try question.verified(at: key, now: now())
        } catch { throw Self.problem(error) }
        // Whom the operator admitted since.
        let parties = Set(try folder.parties().map(\.key))
        let (instant, asker) = (now(), question.asker)
        let content = try await makers.run(for: asker.base64EncodedString()) {
            try self.content(asked, asker, parties, at: instant)
        }
        return try question.reply(content, key: folder.key)
    }

    private func content(
        _ asked: DealerQuestion, _ asker: Data, _ parties: Set<Data>, at instant: UInt64
    ) throws -> [UInt8] {
        let work: DealerDesk.Work
        do {
            work = try desk.withLock { desk in
                desk.parties = parties
                return try desk.take(asked, from: asker, now: instant)
            }
        } catch let error as DealingError { throw Self.problem(error) }
        if case .keep(let mask) = work {
            // One at a time: what is stored holds all before it.
            try writing.withLock { _ in
                var masks = try folder.masks()
                masks[asker, default: []].append(mask)
                try folder.store(masks)
            }
            desk.withLock { $0.keep(mask, of: asker) }
        }
        return work.bytes
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
