import Crypto
public import DatasiteProtocol
import Federation
public import Foundation
import Governance

/// What all three sites of a computation must agree on: each says it of itself.
public struct ComputationAgreement: Sendable, Hashable, Codable {
    /// SHA-256 of what is computed, in hexadecimal digits.
    public var task: String
    /// SHA-256 of the program that all run: sites whose versions of Parley make another one of it refuse each other.
    public var program: String
    /// How many rounds there are at most, that of greetings among them.
    public var rounds: Int
    /// The most bytes that a site brings in a round.
    public var mostBytes: Int
    /// Of all sites together, in all rounds.
    public var bytes: Int
}

/// What a site lets out of a computation: beside its result.
public protocol ComputedRelease: Decodable, Sendable {
    /// The request's id.
    var request: String { get }
    /// What it cost.
    var charge: Loss { get }
}

extension ReleasedComputation: ComputedRelease {}
extension ReleasedJoin: ComputedRelease {}

/// What three sites are asked to compute together on shares, in sealed rounds.
public protocol SealedComputation: CoordinatedWork where Agreement == ComputationAgreement, Run == SealedRoundsRun {
    /// What each site lets out of it.
    associatedtype Released: ComputedRelease
    /// The dataset's name, at all sites.
    var dataset: String { get }
    /// The most units of each site, in the sites' order; 0: it brings no rows.
    var rows: [Int] { get }
    /// The zero-concentrated loss of one person; nil: opened without noise.
    var rho: Double? { get }
    /// Whether a site's release is of this computation.
    ///
    /// - Parameter place: The site's.
    func isReleased(_ made: Released, by place: Int) -> Bool
    /// Whether two releases say the same.
    func agree(_ one: Released, _ other: Released) -> Bool
}

extension SealedComputation {
    /// The engine that is asked.
    public static var engine: String { ComputationWork.engine.rawValue }
    /// Shares, keys and nonces are in memory alone.
    public static var goesOn: Bool { false }

    static func rows(_ request: inout StrictObject) throws -> [Int] {
        guard let listed = try request.optionalIntegers("rows") else {
            throw Problem.invalidRequest("'rows' is missing")
        }
        return listed.map { Int(clamping: $0) }
    }

    func checkSites() throws {
        guard invitation.sites.count == 3, rows.count == 3 else {
            throw Problem.invalidRequest(
                "'sites' names \(invitation.sites.count) keys and 'rows' \(rows.count) numbers, and three sites compute together",
                hint: "one that has no rows brings 0")
        }
    }

    func isOfRun(_ run: String, _ sites: [String], _ coordinatorKey: String) -> Bool {
        run == invitation.run && sites == invitation.sites && coordinatorKey == invitation.coordinatorKey
    }

    /// What all would compute.
    public func agreed(
        _ agreements: [ComputationAgreement], by sites: [CoordinatedSite]
    ) throws -> ComputationAgreement {
        guard sites.count == 3, let first = agreements.first else {
            throw Problem.invalidRequest("a computation is of three sites, each of which says what it would compute")
        }
        for (site, other) in zip(sites, agreements).dropFirst() where other != first {
            throw Problem.conflict(
                "\(sites[0].name) and \(site.name) would compute different things by this request",
                hint: "their versions of Parley may differ")
        }
        // A site that lies in its review makes this process keep no more than a site may ask to be kept.
        guard (2...ComputationTask.mostRounds).contains(first.rounds),
            (0...ComputationTask.mostRoundBytes).contains(first.mostBytes)
        else {
            throw Problem.invalidRequest("\(sites[0].name) says \(first.rounds) rounds of \(first.mostBytes) bytes")
        }
        return first
    }

    /// Frames are in memory alone: nothing is there before.
    public func prepared(
        _ agreement: ComputationAgreement, roster: [Data]
    ) throws -> @Sendable (_ folder: String) throws -> Void { { _ in } }

    /// Who stands between the sites.
    public func run(_ agreement: ComputationAgreement, roster: [Data], _ opening: RunOpening) throws -> SealedRoundsRun
    {
        try SealedRoundsRun(
            run: try invitation.runBytes, roster: roster,
            relay: SealedRoundsRelay(sites: roster.count, rounds: agreement.rounds, mostBytes: agreement.mostBytes),
            opening)
    }
}

extension Coordination where Work: SealedComputation {
    /// A computation that nobody was asked for yet.
    ///
    /// - Parameters:
    ///   - request: What is computed, with any invitation.
    ///   - address: Where sites dial out to.
    /// - Throws: A `Problem`: an address that is none.
    public init(
        sites: [CoordinatedSite], address: String, request: (RoundsInvitation) throws -> Work
    ) throws {
        let key = Curve25519.Signing.PrivateKey()
        let invitation = try RoundsInvitation(sites: sites.map(\.key), address: address, key: key)
        self.init(try request(invitation), sites: sites, key: key)
    }
}
