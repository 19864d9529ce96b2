public import DatasiteProtocol

/// What `ask` gives: the stored bytes of an answer with its receipt, or a request that waits for its owners.
public enum AskResult: Sendable {
    case released(answer: [UInt8], receipt: [UInt8])
    case pending(RequestSummary)
}

/// What the owner hears after a table was added: private to her.
public struct AdditionReport: Sendable {
    /// The dataset's new version.
    public var version: String
    public var rows: Int
    public var units: Int
    /// Remarks for the owner, such as rows dropped or a population whose people another one's table holds too.
    public var warnings: [String]
}

public enum OnError: String, Sendable, CaseIterable {
    case refuse, null
    case skipUnit = "skip-unit"
}

public struct UserSummary: Sendable, Hashable {
    public var name: String
    public var role: Role
    public var isRevoked: Bool
    /// RFC 3339, UTC.
    public var created: String
}

public struct VerifyReport: Sendable {
    public var checks: [String]
    public var problems: [String]
    public var isSound: Bool { problems.isEmpty }
}

/// Counts for the owner's metrics: never shown to a researcher.
public struct Statistics: Sendable {
    public var released: Int64
    public var refused: Int64
    public var busy: Int64
    /// Answers whose computation outlived its first time slot.
    public var missedSlots: Int64
    public var queued: Int
    public var running: Int
}

public final class ServerLock: Sendable {
    public func release() {}
}

public final class Datasite: Sendable {
    public static func create(at path: String, name: String? = nil) throws { throw unfinished }
    public init(path: String) throws { throw Datasite.unfinished }
    static let unfinished = Problem(
        type: "urn:parley:problem:site-unavailable", title: "Unfinished", status: 503, detail: "unfinished")
    public var description: SiteDescription { SiteDescription(name: "", publicKey: "") }
    public func acquireServerLock() throws -> ServerLock { throw Datasite.unfinished }
    public func statistics() -> Statistics {
        Statistics(released: 0, refused: 0, busy: 0, missedSlots: 0, queued: 0, running: 0)
    }

    public func addUser(_ name: String, role: Role) throws -> String { throw Datasite.unfinished }
    public func revokeUser(_ name: String) throws { throw Datasite.unfinished }
    public func rotateUser(_ name: String) throws -> String { throw Datasite.unfinished }
    public func users() throws -> [UserSummary] { throw Datasite.unfinished }
    public func authenticate(_ token: String) throws -> Identity? { throw Datasite.unfinished }

    public static func describe(_ file: String) throws -> String { throw Datasite.unfinished }
    public func addDataset(
        file: String, manifestText: String, onError: OnError = .refuse,
        progress: @Sendable (_ fraction: Double) -> Void = { _ in }
    ) throws -> AdditionReport { throw Datasite.unfinished }
    /// Replaces a dataset's rows by a file's under the same or a new manifest.
    public func addVersion(
        of name: String, file: String, manifestText: String?, onError: OnError = .refuse,
        progress: @Sendable (_ fraction: Double) -> Void = { _ in }
    ) throws -> AdditionReport { throw Datasite.unfinished }
    public func removeDataset(_ name: String) throws { throw Datasite.unfinished }
    public func setPolicy(of name: String, policyText: String) throws { throw Datasite.unfinished }
    public func datasets() throws -> [DatasetSummary] { throw Datasite.unfinished }
    public func dataset(_ name: String) throws -> DatasetDetail { throw Datasite.unfinished }

    public func preview(_ request: AskRequest, as identity: Identity) async throws -> Preview {
        throw Datasite.unfinished
    }
    public func ask(_ request: AskRequest, as identity: Identity, idempotencyKey: String? = nil) async throws
        -> AskResult
    {
        throw Datasite.unfinished
    }
    public func mock(_ request: AskRequest, as identity: Identity) async throws -> [UInt8] { throw Datasite.unfinished }

    public func requests(as identity: Identity) throws -> [RequestSummary] { throw Datasite.unfinished }
    public func request(_ id: String, as identity: Identity) throws -> RequestSummary { throw Datasite.unfinished }
    public func answer(_ id: String, as identity: Identity) async throws -> [UInt8] { throw Datasite.unfinished }
    public func receipt(_ id: String, as identity: Identity) throws -> [UInt8] { throw Datasite.unfinished }
    public func approve(_ id: String, by identity: Identity) async throws -> RequestSummary {
        throw Datasite.unfinished
    }
    public func deny(_ id: String, by identity: Identity, reason: String) throws -> RequestSummary {
        throw Datasite.unfinished
    }

    public func budget(as identity: Identity) throws -> [BudgetReport] { throw Datasite.unfinished }
    public func audit(as identity: Identity, from index: Int64 = 1, limit: Int = 1_000) throws -> [AuditEntry] {
        throw Datasite.unfinished
    }
    public func verify() throws -> VerifyReport { throw Datasite.unfinished }
    public func acceptRestore() throws -> [String] { throw Datasite.unfinished }
}
