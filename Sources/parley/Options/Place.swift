import ArgumentParser
import Datasite
import DatasiteClient
import DatasiteProtocol
import Foundation

/// Where a command acts that works both on a site's folder and over HTTP.
struct PlaceOptions: ParsableArguments {
    @OptionGroup var site: SiteOptions
    @OptionGroup var connection: ConnectionOptions

    /// What is named in the command wins, then the environment, then a site's folder here, then the last login.
    ///
    /// - Parameter announces: Whether it is said that a folder which nobody named wins over a login.
    func place(announces: Bool = true) throws -> Place {
        if site.site != nil, connection.url != nil { throw ValidationError("Give either --site or --url, not both.") }
        if site.site != nil { return .folder(try site.open()) }
        if connection.url != nil { return .server(try connection.connect()) }
        if SiteOptions.environmentPath != nil { return .folder(try site.open()) }
        if ConnectionOptions.environmentURL != nil { return .server(try connection.connect()) }
        if FileManager.default.fileExists(atPath: SiteOptions.defaultPath) {
            let opened = try site.open()
            if announces, let notice = Self.ownerNotice(try? Logins.load()) {
                Terminal.diagnostics.line("note: \(notice)")
            }
            return .folder(opened)
        }
        if try Logins.load().current != nil { return .server(try connection.connect()) }
        throw Failure(
            "Which datasite? There is none in this folder, and you are not logged in to one.",
            next: "Owners: parley site init, or --site DIR.   Researchers: parley login URL, or --url URL.")
    }

    /// As whom a command acts, where a folder that nobody named wins over a login: whoever logged in may expect to act by
    /// that login. Nil where there is no login, so that nothing is in doubt.
    static func ownerNotice(_ logins: Logins?) -> String? {
        guard let url = logins?.current, let login = logins?.sites[url] else { return nil }
        return PrintableText.escape(
            "acting as the owner of \(SiteOptions.defaultPath), not as \(login.user) (\(login.role)) at \(url); "
                + "choose with --site \(SiteOptions.defaultPath) or --url \(url)")
    }
}

/// A site's own files, or a server.
enum Place {
    case folder(Datasite)
    case server(Connection)

    func datasets() async throws -> [DatasetSummary] {
        switch self {
        case .folder(let site): try site.datasets()
        case .server(let connection): try await connection.client.datasets()
        }
    }

    func detail(_ name: String) async throws -> DatasetDetail {
        switch self {
        case .folder(let site): try site.dataset(name)
        case .server(let connection): try await connection.client.dataset(name).detail()
        }
    }

    func requests(state: String?, page: PageOptions) async throws -> [RequestSummary] {
        switch self {
        case .folder(let site):
            try site.requests(as: .localOwner, state: state, before: page.before, limit: page.limit)
        case .server(let connection):
            try await connection.client.requests(state: state, before: page.before, limit: page.limit)
        }
    }

    func request(_ id: String) async throws -> RequestSummary {
        switch self {
        case .folder(let site): try site.request(id, as: .localOwner)
        case .server(let connection): try await connection.client.request(id)
        }
    }

    /// The dataset's synthetic table as it was released.
    func syntheticTable(_ name: String) async throws -> [UInt8] {
        switch self {
        case .folder(let site): try site.syntheticTable(of: name).answer
        case .server(let connection): try await connection.client.dataset(name).syntheticTable().bytes
        }
    }

    /// The key that signs its receipts and its log: of a server the one that was pinned at login.
    func publicKey() async throws -> String {
        switch self {
        case .folder(let site): site.description.publicKey
        case .server(let connection):
            if let pinned = connection.pinnedKey { pinned } else { try await connection.client.description().publicKey }
        }
    }

    func proof(_ id: String) async throws -> [UInt8] {
        switch self {
        case .folder(let site):
            // No server may be there that brings the log up; one that stopped proves what it let out before.
            _ = try? site.publishLog()
            return try site.proof(of: id, as: .localOwner)
        case .server(let connection): return try await connection.client.proof(id)
        }
    }

    func review(_ id: String) async throws -> RequestReview {
        switch self {
        case .folder(let site): try await site.review(id, as: .localOwner)
        case .server(let connection): try await connection.client.review(id)
        }
    }

    func approve(_ id: String) async throws -> RequestSummary {
        switch self {
        case .folder(let site): try await site.approve(id, by: .localOwner)
        case .server(let connection): try await connection.client.approve(id)
        }
    }

    func deny(_ id: String, reason: String) async throws -> RequestSummary {
        switch self {
        case .folder(let site): try await site.deny(id, by: .localOwner, reason: reason)
        case .server(let connection): try await connection.client.deny(id, reason: reason)
        }
    }

    func jobs(all: Bool) async throws -> [JobSummary] {
        switch self {
        case .folder(let site): try site.jobs(as: .localOwner, all: all)
        case .server(let connection): try await connection.client.jobs(all: all)
        }
    }

    func cancel(_ id: String) async throws -> JobSummary {
        switch self {
        case .folder(let site): try await site.cancelJob(id, by: .localOwner)
        case .server(let connection): try await connection.client.cancelJob(id)
        }
    }

    /// Has a request's answer computed that was cut short.
    func complete(_ id: String) async throws {
        switch self {
        case .folder(let site): _ = try await site.answer(id, as: .localOwner)
        case .server(let connection): _ = try await connection.client.answer(id)
        }
    }

    func events(of id: String) -> AsyncThrowingStream<RequestEvent, any Error> {
        switch self {
        case .folder(let site): site.events(of: id)
        case .server(let connection): connection.client.events(of: id)
        }
    }

    func budget() async throws -> [BudgetReport] {
        switch self {
        case .folder(let site): try site.budget(as: .localOwner)
        case .server(let connection): try await connection.client.budget()
        }
    }

    func audit(from index: Int64?, limit: Int) async throws -> [AuditEntry] {
        switch self {
        case .folder(let site): try site.audit(as: .localOwner, from: index, limit: limit)
        case .server(let connection): try await connection.client.audit(from: index, limit: limit)
        }
    }
}

extension Datasite {
    /// As a client follows them: in the site's own folder.
    func events(of id: String) -> AsyncThrowingStream<RequestEvent, any Error> {
        AsyncThrowingStream { continuation in
            let following = Task {
                do {
                    var last = 0
                    while true {
                        let known = last
                        let page = try await reading { try $0.events(of: id, after: known, as: .localOwner) }
                        for event in page.events { continuation.yield(event) }
                        last = page.events.last?.number ?? last
                        if page.hasStopped { return continuation.finish() }
                        try await Task.sleep(for: .milliseconds(250))
                    }
                } catch {
                    continuation.finish(throwing: error)
                }
            }
            continuation.onTermination = { _ in following.cancel() }
        }
    }
}
