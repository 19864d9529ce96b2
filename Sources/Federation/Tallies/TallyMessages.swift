internal import Crypto
internal import Foundation
internal import MultipartyComputation

/// Why a report, or a step, is refused: public words.
public enum TallyRefusal: String, Error, Sendable, Hashable, Codable {
    /// Reports are taken no more.
    case closed
    /// There is no place for another report.
    case full
    /// The device has another report in this task.
    case `repeated`
    /// Another device's report has this nonce.
    case nonce
    /// It is not encrypted for this aggregator, in this report.
    case share
    /// It does not verify.
    case proof
    /// Not signed by its device, or by one that was not enrolled.
    case signature
    /// There are fewer reports than the plan's least.
    case few
    /// The aggregators took different reports.
    case others
    /// Nothing of that is under way.
    case none

    init(_ error: ReportBatchError) {
        self =
            switch error {
            case .notOpen: .closed
            case .full: .full
            case .replayed: .nonce
            case .tooFew: .few
            case .otherReports: .others
            case .parameter, .notBegun, .another, .unfinished: .none
            }
    }

    /// For people.
    public var words: String {
        switch self {
        case .closed: "reports are taken no more"
        case .full: "there is no place for another report"
        case .repeated: "this device has a report in this tally already"
        case .nonce: "another device's report has the same number"
        case .share: "the report was not encrypted for this aggregator"
        case .proof: "the report's proof does not verify"
        case .signature: "no device that takes part signed the report"
        case .few: "there are fewer reports than the plan's least"
        case .others: "the aggregators took different reports"
        case .none: "nothing of that is under way"
        }
    }
}

/// An aggregator's noisy sum, encrypted for the collector, and signed.
public struct TallyAggregate: Sendable, Hashable, Codable {
    /// Whose it is.
    public let role: TallyRole
    /// Of how many reports.
    public let count: Int
    /// What aggregators have in common that summed the same reports.
    let reports: Data
    let sealed: TallySealed
    private let signature: Data

    init(
        _ share: Data, task: TallyTask, role: TallyRole, count: Int, reports: Data, key: TallyKey
    ) throws {
        (self.role, self.count, self.reports) = (role, count, reports)
        let bound = Self.bound(task.digest, role, count, reports: reports)
        sealed = try TallySealed(share, for: task.plan.collector, role.sum, authenticating: bound)
        signature = try key.signing.signature(for: Self.signed(bound, sealed))
    }

    /// Whether its aggregator signed it.
    func isSigned(_ task: TallyTask) -> Bool {
        let identity = task.aggregator(role).identity
        let bound = Self.bound(task.digest, role, count, reports: reports)
        return (try? Curve25519.Signing.PublicKey(rawRepresentation: identity.signing))?
            .isValidSignature(signature, for: Self.signed(bound, sealed)) ?? false
    }

    /// The share; nil where it is not encrypted for this key.
    func opened(_ task: TallyTask, _ key: TallyKey) -> [UInt8]? {
        key.open(sealed, role.sum, authenticating: Self.bound(task.digest, role, count, reports: reports)).map {
            [UInt8]($0)
        }
    }

    private static func bound(_ task: Data, _ role: TallyRole, _ count: Int, reports: Data) -> Data {
        task + Data(littleEndian: UInt32(role.rawValue)) + Data(littleEndian: Int64(count)) + reports
    }

    private static func signed(_ bound: Data, _ sealed: TallySealed) -> Data {
        Data("parley tally aggregate 1\n".utf8) + bound + Data(SHA256.hash(data: sealed.bytes))
    }
}

/// What the leader asks of the helper.
enum TallyJob: Sendable, Hashable, Codable {
    /// An aggregation job: to verify reports with it.
    case aggregate([Entry])
    /// To end the batch, if it is of these reports.
    case collect(reports: Data)

    /// A report, as the leader has it.
    struct Entry: Sendable, Hashable, Codable {
        /// A ``TallyReport`` without what is encrypted for the leader.
        var report: Data
        var verifierShare: Data
        /// With which verifier message the leader's own last step succeeds.
        var expected: Data
    }
}

/// What the helper says to it.
public enum TallyJobReply: Sendable, Hashable, Codable {
    /// Of each report, in their order: nil where it is in the helper's sum.
    case outcomes([TallyRefusal?])
    /// Its noisy sum.
    case aggregate(TallyAggregate)
    /// There is no sum.
    case refused(TallyRefusal)
}

/// What devices and the collector ask of the leader, beside reports.
enum TallyQuestion: String, Sendable, Hashable, Codable {
    case result
}

/// What the leader says to devices and to the collector.
public enum TallyReply: Sendable, Hashable, Codable {
    /// The report was taken, and is kept.
    case taken
    /// It was not.
    case refused(TallyRefusal)
    /// Reports are still taken, for so many seconds at most.
    case open(seconds: Double)
    /// The batch has ended, and is summed.
    case working
    /// There is no result, and will be none.
    case void(TallyRefusal)
    /// Both sums.
    case result(leader: TallyAggregate, helper: TallyAggregate)
}

/// A message between two parties of a task, signed or not by its sender, which each side knows from the plan.
///
/// 4 bytes "PTM1", 32 of the task, 64 of an Ed25519 signature, and the message as JSON. The signature is over a label that names who says what to whom, the task, SHA-256 of the message to which it is a reply (zeros where it is none), and SHA-256 of the
/// message: it is no answer to another one. Messages have no numbers, since a copy of one is answered by what was answered before.
enum TallyFrame {
    /// Who says what to whom.
    enum Label: String {
        case job = "leader to helper"
        case jobReply = "helper to leader"
        case reply = "leader to anybody"
    }

    private static let magic = Data("PTM1".utf8)
    static let head = 4 + 32 + 64

    /// Whether a frame is such a message, and not a device's report.
    static func isMessage(_ frame: Data) -> Bool { frame.prefix(4) == magic }

    /// - Parameter question: The frame that is answered; empty: none.
    static func signed(
        _ message: some Encodable, _ label: Label, _ task: TallyTask, to question: Data = Data(), by key: TallyKey
    ) throws -> Data {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        let body = try encoder.encode(message)
        let signature = try key.signing.signature(for: signedBytes(body, label, task.digest, to: question))
        return magic + task.digest + signature + body
    }

    /// What anybody may say: no signature.
    static func unsigned(_ message: some Encodable, _ task: TallyTask) throws -> Data {
        magic + task.digest + Data(count: 64) + (try JSONEncoder().encode(message))
    }

    /// - Parameter identity: Who must have signed it; nil: anybody may say it.
    /// - Throws: `frame`, `run`, `sender`, `message`.
    static func message<Message: Decodable>(
        _ type: Message.Type, in frame: Data, _ label: Label, _ task: TallyTask, to question: Data = Data(),
        by identity: TallyIdentity?
    ) throws(FrameError) -> Message {
        let frame = Data(frame)
        guard frame.count > head, isMessage(frame) else {
            throw .frame(expected: "a tally's message, which begins with PTM1")
        }
        guard frame.subdata(in: 4..<36) == task.digest else { throw .run }
        let (signature, body) = (frame.subdata(in: 36..<head), frame.subdata(in: head..<frame.count))
        if let identity {
            guard let key = try? Curve25519.Signing.PublicKey(rawRepresentation: identity.signing),
                key.isValidSignature(signature, for: signedBytes(body, label, task.digest, to: question))
            else { throw .sender }
        }
        guard let message = try? JSONDecoder().decode(type, from: body) else { throw .message }
        return message
    }

    private static func signedBytes(_ body: Data, _ label: Label, _ task: Data, to question: Data) -> Data {
        Data("parley tally 1 \(label.rawValue)\n".utf8) + task
            + (question.isEmpty ? Data(count: 32) : Data(SHA256.hash(data: question)))
            + Data(SHA256.hash(data: body))
    }
}
