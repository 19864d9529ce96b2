public import Crypto
import DatasiteProtocol
public import Federation
public import Foundation

/// What several datasites are asked together: each gets the same request, says what it would do, and the rounds begin where all say the same.
public protocol CoordinatedWork: Codable, Sendable {
    /// What a site says it would do, of itself.
    associatedtype Agreement: Codable, Sendable
    /// What stands between the sites while they do it.
    associatedtype Run: CoordinatedRun

    /// The engine that is asked.
    static var engine: String { get }
    /// Whether a run goes on in another process, and behind a site whose part stopped.
    static var goesOn: Bool { get }
    /// Which run, among whom.
    var invitation: RoundsInvitation { get }

    /// What all sites would do.
    ///
    /// - Parameter agreements: In the sites' order.
    /// - Throws: A `Problem` that says what differs, and where.
    func agreed(_ agreements: [Agreement], by sites: [CoordinatedSite]) throws -> Agreement
    /// Checks what the sites agreed on, and gives what makes the files from which a run of it begins, in a folder that is there by then.
    ///
    /// - Parameter roster: The sites' keys, in their order.
    func prepared(_ agreement: Agreement, roster: [Data]) throws -> @Sendable (_ folder: String) throws -> Void
    /// Goes on with the run in a folder, from where it was.
    func run(_ agreement: Agreement, roster: [Data], _ opening: RunOpening) throws -> Run
}

extension CoordinatedWork {
    /// It does.
    public static var goesOn: Bool { true }
}

/// What stands between the sites of a run: signed frames in, signed frames out.
public protocol CoordinatedRun: Sendable {
    /// Its name, 16 bytes.
    var run: Data { get }
    /// The sites' keys, in the order of their places.
    var roster: [Data] { get }
    /// The longest message of a site, in bytes.
    var largestMessage: Int { get }
    /// Where the run is.
    var progress: CoordinatorRun.Progress { get }
    /// Takes a site's frame as it comes, and gives the reply's.
    ///
    /// - Throws: A ``Federation/FrameError``, or a `Problem`: nothing was taken then.
    func answer(_ frame: ArrivingFrame) async throws -> LeavingFrame
}

extension CoordinatedRun {
    /// Takes a site's frame, and gives the reply's.
    ///
    /// - Throws: A ``Federation/FrameError``, or a `Problem`: nothing was taken then.
    public func answer(_ frame: [UInt8]) async throws -> [UInt8] {
        var (bytes, pieces): ([UInt8], LeavingFrame.Pieces) = ([], try await answer(ArrivingFrame(whole: frame)).pieces)
        while let piece = try await pieces.next() { bytes += piece }
        return bytes
    }
}

extension CoordinatedRun {
    /// With what its sites' frames begin.
    public var frameStart: FrameStart { .sites(roster.count, run: run) }
}

/// How a run is taken up: from which folder, by whose key, and who is told of it.
public struct RunOpening: Sendable {
    /// Where it is kept.
    public var folder: String
    /// Signs replies.
    public var key: Curve25519.Signing.PrivateKey
    /// In seconds: for so long those sites that are there wait for the others before the first round.
    public var patience: Double
    /// Told when a round, a phase or an event is new; it must not take long.
    public var changed: @Sendable (CoordinatorRun.Progress) -> Void
}

/// Work in rounds that add up updates.
public protocol CoordinatedRounds: CoordinatedWork where Run == CoordinatorRun {
    /// How much of an average of the rounds' weights stays at each round; nil: there is none.
    var averaging: Float? { get }
    /// What is done, and the weights that it begins with.
    func beginning(_ agreement: Agreement) throws -> (plan: FederatedPlan, weights: [Float])
}

extension CoordinatedRounds {
    /// The state before the first round.
    public func prepared(
        _ agreement: Agreement, roster: [Data]
    ) throws -> @Sendable (_ folder: String) throws -> Void {
        let (plan, weights) = try beginning(agreement)
        do throws(FederationError) {
            guard let run = Data(hexadecimal: invitation.run) else {
                throw .plan("the run's name", expected: "16 bytes in hexadecimal digits")
            }
            let coordinator = try Coordinator(plan: plan, roster: roster, run: run, weights: weights)
            return { try CoordinatorRun.store(coordinator, in: VectorFolder(path: $0)) }
        } catch { throw Problem.invalidManifest("\(error)") }
    }

    /// The coordinator, from its stored state and the messages behind it.
    public func run(_ agreement: Agreement, roster: [Data], _ opening: RunOpening) throws -> CoordinatorRun {
        try CoordinatorRun(
            folder: opening.folder, key: opening.key, averaging: averaging, patience: opening.patience,
            changed: opening.changed)
    }
}

/// A datasite of a run.
public struct CoordinatedSite: Sendable, Hashable, Codable {
    /// As it calls itself.
    public var name: String
    /// Where it is.
    public var url: String
    /// Its Ed25519 public key, in base64.
    public var key: String

    /// A site, by its parts.
    public init(name: String, url: String, key: String) { (self.name, self.url, self.key) = (name, url, key) }

    /// Refuses sites that declare what is used differently.
    ///
    /// - Parameters:
    ///   - lines: What each declares, in the sites' order.
    ///   - what: What must be declared alike, for the hint.
    static func check(_ sites: [CoordinatedSite], declare lines: [[String]], _ what: String) throws {
        guard let first = lines.first, lines.count == sites.count else {
            throw Problem.invalidRequest("each site says what it would do")
        }
        for (site, other) in zip(sites, lines).dropFirst() where Set(other) != Set(first) {
            let differences =
                first.filter { !other.contains($0) }.map { "\(sites[0].name): \($0)" }
                + other.filter { !first.contains($0) }.map { "\(site.name): \($0)" }
            throw Problem.conflict(
                "the manifests of \(sites[0].name) and \(site.name) differ: \(differences.joined(separator: "; "))",
                hint:
                    "\(what) must be declared alike: their owners may agree on names, domains, bounds and rows of a unit"
            )
        }
    }
}

/// A run that several datasites are asked to take part in, and its folder: what is done, among whom, and what came of it. No network in it.
public struct Coordination<Work: CoordinatedWork>: Sendable {
    private struct Stored: Codable {
        var request: Work
        var sites: [CoordinatedSite]
        var agreement: Work.Agreement
        /// nil: of an earlier version.
        var waits: [Bool]?
    }

    /// Of the folder.
    public let path: String
    /// What sites are sent.
    public let request: Work
    /// Which, in the order of their places.
    public let sites: [CoordinatedSite]
    /// What they agreed on; nil before ``create(at:agreements:)``.
    public let agreement: Work.Agreement?
    /// What signs replies.
    public let key: Curve25519.Signing.PrivateKey
    /// For each site, whether an owner of its decides first: those are asked before the others, which are charged at once.
    public let waits: [Bool]

    /// A run that nobody was asked for yet.
    public init(_ request: Work, sites: [CoordinatedSite], key: Curve25519.Signing.PrivateKey) {
        (self.request, self.sites, self.key, agreement, path) = (request, sites, key, nil, "")
        waits = sites.map { _ in true }
    }

    private init(path: String, stored: Stored, key: Curve25519.Signing.PrivateKey) {
        (self.path, self.key) = (path, key)
        (request, sites, agreement) = (stored.request, stored.sites, stored.agreement)
        waits = stored.waits?.count == sites.count ? stored.waits ?? [] : sites.map { _ in true }
    }

    /// Whether there is a run in a folder.
    public static func exists(at path: String) -> Bool { RunFolder(path: path).has(.run) }

    /// The run in a folder.
    ///
    /// - Throws: A `Problem`: there is none, or it is damaged.
    public init(at path: String) throws {
        let folder = RunFolder(path: path)
        let key = try folder.key()
        self.init(path: path, stored: try folder.decode(Stored.self, .run), key: key)
    }

    /// The same run with another request: before anybody was asked.
    func with(_ change: (inout Work) -> Void) -> Coordination {
        var changed = request
        change(&changed)
        return Coordination(changed, sites: sites, key: key)
    }

    /// The sites' agreement: what all of them say they would do.
    ///
    /// - Parameter agreements: In the sites' order.
    /// - Throws: A `Problem` that says what differs, and where.
    public func agreed(_ agreements: [Work.Agreement]) throws -> Work.Agreement {
        try request.agreed(agreements, by: sites)
    }

    /// Makes the run's folder, for its owner alone: what is in it can go on after a crash.
    ///
    /// - Parameter waits: For each site, whether an owner of its decides first; nil: not known.
    /// - Throws: A `Problem`: the folder is there already, or what ``agreed(_:)`` throws.
    public func create(
        at path: String, agreements: [Work.Agreement], waits: [Bool]? = nil
    ) throws -> Coordination {
        let agreement = try agreed(agreements)
        let prepare = try request.prepared(agreement, roster: roster)
        try TrainingFolder(path: path).create()
        let folder = RunFolder(path: path)
        try folder.write(key.fileContent, to: .key)
        try prepare(path)
        let stored = Stored(request: request, sites: sites, agreement: agreement, waits: waits)
        // The last file: with it there is a run.
        try folder.write(Array(try JSONEncoder().encode(stored)), to: .run)
        return Coordination(path: path, stored: stored, key: key)
    }

    /// Coordinates, from where it was.
    ///
    /// - Parameters:
    ///   - patience: In seconds: for so long those sites that are there wait for the others before the first round.
    ///   - changed: Told when a round, a phase or an event is new; it must not take long.
    public func begin(
        patience: Double, changed: @escaping @Sendable (CoordinatorRun.Progress) -> Void
    ) throws -> Work.Run {
        guard let agreement else { throw Problem.conflict("nobody was asked for this run yet") }
        return try request.run(
            agreement, roster: roster, RunOpening(folder: path, key: key, patience: patience, changed: changed))
    }

    private var roster: [Data] { sites.map { Data(base64Encoded: $0.key) ?? Data() } }
}
