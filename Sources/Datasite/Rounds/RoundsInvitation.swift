public import Crypto
import DatasiteProtocol
import Federation
import Foundation
import Governance
import Secrets

/// To what a site is asked, together with others: which run it is, who takes part, and who coordinates.
public struct RoundsInvitation: Sendable, Hashable, Codable {
    /// 16 bytes that no other run has, in hexadecimal digits.
    public var run: String
    /// Where the coordinator is: sites dial out to it.
    public var coordinator: String
    /// Its Ed25519 public key, in base64: replies are signed by it.
    public var coordinatorKey: String
    /// The sites' Ed25519 public keys, in base64: each takes the place that its key has.
    public var sites: [String]

    static let mostSites = 1_000

    /// To a new run.
    ///
    /// - Parameters:
    ///   - sites: Their keys, in base64.
    ///   - key: The coordinator's.
    /// - Throws: A `Problem`: an address that is none.
    public init(sites: [String], address: String, key: Curve25519.Signing.PrivateKey) throws {
        guard let address = CoordinatorAddress(address) else {
            throw Problem.invalidRequest("\(DisplayedName.of(address)): \(CoordinatorAddress.expected)")
        }
        (run, coordinator, self.sites) = (hexadecimal(SecureRandom.bytes(16)), address.url, sites)
        coordinatorKey = key.publicKey.rawRepresentation.base64EncodedString()
    }

    /// Takes its members out of a request.
    ///
    /// - Throws: A `JSONError`, or a `Problem`: what is wrong in it.
    init(_ request: inout StrictObject) throws {
        run = try request.string("run")
        let address = try request.string("coordinator")
        coordinatorKey = try request.string("coordinatorKey")
        guard case .array(let listed)? = request.value("sites") else {
            throw Problem.invalidRequest("'sites' is missing, or no list", hint: "the keys of all sites that take part")
        }
        sites = try listed.map { value in
            guard case .string(let key) = value else { throw Problem.invalidRequest("'sites' holds keys in base64") }
            return key
        }
        guard let address = CoordinatorAddress(address) else {
            throw Problem.invalidRequest("'coordinator': \(CoordinatorAddress.expected)")
        }
        coordinator = address.url
        _ = try (runBytes, roster, coordinatorPublicKey)
    }

    var runBytes: Data {
        get throws {
            let digits = Array(run.utf8)
            let isHexadecimal = digits.allSatisfy { (48...57).contains($0) || (97...102).contains($0) }
            guard digits.count == 32, isHexadecimal, let bytes = Data(hexadecimal: run) else {
                throw Problem.invalidRequest("'run' is 16 bytes in hexadecimal digits, small letters")
            }
            return bytes
        }
    }

    var roster: [Data] {
        get throws {
            guard (2...Self.mostSites).contains(sites.count) else {
                throw Problem.invalidRequest("'sites' names 2 to \(Self.mostSites) keys")
            }
            let keys = try sites.map { try Self.key($0, "'sites'") }
            guard Set(keys).count == keys.count else { throw Problem.invalidRequest("'sites' names a key twice") }
            return keys
        }
    }

    var coordinatorPublicKey: Data { get throws { try Self.key(coordinatorKey, "'coordinatorKey'") } }

    private static func key(_ text: String, _ what: String) throws -> Data {
        // In the one form that base64 has for 32 bytes: the same request is the same bytes.
        guard let key = Data(base64Encoded: text), key.count == 32, key.base64EncodedString() == text else {
            throw Problem.invalidRequest("\(what): expected an Ed25519 public key, 32 bytes in base64")
        }
        return key
    }
}

/// An invitation that a site's policy allows: what the rounds themselves need of it.
struct AllowedRounds: Sendable {
    let invitation: RoundsInvitation
    /// The keys of all sites.
    let roster: [Data]
    /// 16 bytes.
    let run: Data
    /// What the coordinator's replies are signed by.
    let coordinatorKey: Data
    /// This site's place among them.
    let index: Int
    /// What the owner's policy says of it.
    let rule: FederationRule
    /// What this site's policy allows.
    let policy: FederationPolicy

    /// - Parameters:
    ///   - site: This site's public key.
    ///   - rule: Of the policy, for that kind of work; nil: it does not allow it.
    ///   - what: What is asked for, in words: "trained on".
    /// - Throws: A `Problem`: `forbidden`, or what is wrong in the request.
    init(
        _ invitation: RoundsInvitation, at site: Data, rule: FederationRule?, what: String, engine: EngineName
    ) throws {
        self.invitation = invitation
        (roster, run) = (try invitation.roster, try invitation.runBytes)
        coordinatorKey = try invitation.coordinatorPublicKey
        guard let index = roster.firstIndex(of: site) else {
            throw Problem.invalidRequest(
                "'sites' does not name this site", hint: "its key is \(site.base64EncodedString())")
        }
        self.index = index
        guard let rule else {
            throw Problem.forbidden(
                "\(what) with other sites: its owner's policy does not allow it",
                hint: "the owner may add `\(engine.rawValue)` to the policy's `engines`")
        }
        if let stranger = roster.first(where: { $0 != site && !rule.sites.contains(Array($0)) }) {
            throw Problem.forbidden(
                "the owner's policy does not name the site with the key \(stranger.base64EncodedString())",
                hint: "only sites whose keys she approved take part: invented ones could stand around her own")
        }
        guard rule.coordinators.contains(invitation.coordinator) else {
            throw Problem.forbidden(
                "the owner's policy does not name the coordinator \(DisplayedName.of(invitation.coordinator))",
                hint: "it names \(rule.coordinators.sorted().prefix(10).joined(separator: ", "))")
        }
        self.rule = rule
        policy = FederationPolicy(
            ways: Set(rule.aggregations.map(Aggregation.init)), leastHonest: rule.leastHonest,
            leastColluders: rule.leastColluders, leastNoiseMultiplier: rule.noise?.lowerBound ?? 0,
            clippingNorms: rule.clip ?? 0x1p-60...0x1p60, mostRounds: rule.mostRounds ?? 2_000_000)
    }

    /// - Throws: `forbidden`: what the policy says of such a plan.
    func check(_ plan: FederatedPlan) throws {
        do throws(FederationError) { try policy.check(plan, participants: roster.count) } catch {
            throw Problem.forbidden("\(error)", hint: "the owner's policy says what a plan may be: `parley data show`")
        }
    }

    /// SHA-256 of what all sites must agree on beside the federated plan's own numbers: the label, then each part behind its length.
    static func digest(_ label: String, of parts: [String]) -> Data {
        var hash = SHA256()
        hash.update(data: Data(label.utf8))
        for part in parts {
            withUnsafeBytes(of: UInt64(part.utf8.count).littleEndian) { hash.update(bufferPointer: $0) }
            hash.update(data: Data(part.utf8))
        }
        return Data(hash.finalize())
    }

    /// The other sites, in words.
    var words: String {
        "This site is \(index + 1) of \(roster.count); the others' keys are "
            + invitation.sites.enumerated().filter { $0.offset != index }.map(\.element).joined(separator: ", ") + "."
    }
}

extension Aggregation {
    init(_ aggregation: FederationRule.Aggregation) {
        self =
            switch aggregation {
            case .plain: .plain
            case .masked: .masked
            case .distributedNoise: .distributedNoise
            }
    }
}
