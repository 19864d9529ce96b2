import DatasiteProtocol
import Foundation

/// What a site is asked to take part in: a plan, and with whom.
struct FederatedRequest: Sendable, Hashable, Codable {
    /// The plan's text, the same at all sites.
    var plan: String
    /// 16 bytes that no other run has, in hexadecimal digits.
    var run: String
    /// Where the coordinator is.
    var coordinator: String
    /// Its Ed25519 public key, in base64.
    var coordinatorKey: String
    /// The sites' Ed25519 public keys, in base64: each takes the place that its key has.
    var sites: [String]

    static let mostSites = 1_000

    /// - Throws: A `JSONError`, or a `Problem`: what is wrong in it.
    init(_ request: StrictObject) throws {
        var request = request
        plan = try request.string("plan")
        run = try request.string("run")
        coordinator = try request.string("coordinator")
        coordinatorKey = try request.string("coordinatorKey")
        guard case .array(let listed)? = request.value("sites") else {
            throw Problem.invalidRequest("'sites' is missing, or no list", hint: "the keys of all sites that take part")
        }
        sites = try listed.map { value in
            guard case .string(let key) = value else { throw Problem.invalidRequest("'sites' holds keys in base64") }
            return key
        }
        try request.finish()
        guard plan.utf8.count <= TrainingWork.largestPlan else {
            throw Problem.tooLarge("a plan has at most \(TrainingWork.largestPlan >> 10) KiB")
        }
        try Submission.checkStored(plan, as: "a plan")
        guard let address = CoordinatorAddress(coordinator) else {
            throw Problem.invalidRequest("'coordinator': \(CoordinatorAddress.expected)")
        }
        coordinator = address.url
        _ = try (runBytes, roster, coordinatorPublicKey)
    }

    var runBytes: Data {
        get throws {
            let digits = Array(run.utf8)
            let isHexadecimal = digits.allSatisfy { (48...57).contains($0) || (97...102).contains($0) }
            guard digits.count == 32, isHexadecimal else {
                throw Problem.invalidRequest("'run' is 16 bytes in hexadecimal digits, small letters")
            }
            return Data((0..<16).map { UInt8(run.dropFirst(2 * $0).prefix(2), radix: 16) ?? 0 })
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
