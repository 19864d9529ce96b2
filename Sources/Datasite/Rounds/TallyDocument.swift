import DatasiteProtocol
public import Federation
import Foundation

/// A plan of a tally, in YAML: `measure: {sum: 600}`, `reports: [100, 10000]`, `privacy: {epsilon: 1, delta: 1e-6}`.
public struct TallyDocument: Sendable {
    /// What it says.
    public let plan: TallyPlan

    /// - Throws: A `Problem`: what is wrong, and where.
    public init(_ text: String) throws {
        let root = try YAMLValue.document(text)
        let keys = try root.mapping([
            "version", "name", "description", "measure", "reports", "open-seconds", "privacy", "leader", "helper",
            "collector", "enroller",
        ])
        func required(_ key: String) throws -> YAMLValue {
            guard let found = keys[key] else { throw root.problem("the key `\(key)` is missing") }
            return found
        }
        let version = try required("version")
        guard try version.integer("the plan's version, 1") == 1 else {
            throw version.problem("expected 1, the version that is read here")
        }
        _ = try keys["description"]?.text("a description")
        let reports = try required("reports")
        let counts =
            reports.isSequence ? try reports.sequence().map { try $0.count(atMost: TallyPlan.largestBatch) } : []
        guard counts.count == 2, counts[0] <= counts[1] else { throw reports.problem("expected [least, most]") }
        let plan = TallyPlan(
            name: try TrainingDocument.name(required("name")), measure: try Self.measure(required("measure")),
            leastReports: counts[0], mostReports: counts[1],
            seconds: try required("open-seconds").number(within: 1...1e8),
            privacy: try Self.privacy(required("privacy")), leader: try Self.aggregator(required("leader")),
            helper: try Self.aggregator(required("helper")), collector: try Self.identity(required("collector")),
            enroller: try keys["enroller"].map(Self.enroller))
        do throws(FederationError) { try plan.check() } catch { throw Problem.invalidManifest("\(error)") }
        self.plan = plan
    }

    private static func measure(_ value: YAMLValue) throws -> TallyPlan.Measure {
        let hint = "count, {sum: 600}, {bounds: [60, 120]}, {buckets: [walk, bike]} or {vector: {length: 7, max: 24}}"
        guard value.isMapping else {
            guard try value.text(hint) == "count" else { throw value.problem("expected \(hint)") }
            return .count
        }
        let keys = try value.mapping(["sum", "bounds", "buckets", "vector"])
        guard keys.count == 1, let (key, inner) = keys.first else { throw value.problem("expected one of: \(hint)") }
        switch key {
        case "sum": return .sum(maximum: UInt64(try inner.count()))
        case "bounds": return .histogram(buckets: .bounds(try inner.sequence().map { try $0.number() }))
        case "buckets": return .histogram(buckets: .words(try inner.sequence().map { try $0.text() }))
        default:
            let keys = try inner.mapping(["length", "max"])
            guard let length = keys["length"], let most = keys["max"] else {
                throw inner.problem("expected {length: 7, max: 24}")
            }
            return .vector(
                length: try length.count(atMost: TallyPlan.longestMeasurement), maximum: UInt64(try most.count()))
        }
    }

    private static func privacy(_ value: YAMLValue) throws -> TallyPrivacy {
        let keys = try value.mapping(["epsilon", "rho", "delta"])
        let delta = try keys["delta"]?.number(within: 1e-30...0.1) ?? 1e-6
        switch (keys["epsilon"], keys["rho"]) {
        case (let epsilon?, nil): return TallyPrivacy(.epsilon(try epsilon.number(within: 1e-3...1e3)), delta: delta)
        case (nil, let rho?): return TallyPrivacy(.rho(try rho.number(within: 1e-9...1e6)), delta: delta)
        default: throw value.problem("expected {epsilon: 1, delta: 1e-6} or {rho: 0.05, delta: 1e-6}")
        }
    }

    private static func aggregator(_ value: YAMLValue) throws -> TallyPlan.Aggregator {
        let keys = try value.mapping(["url", "key"])
        guard let url = keys["url"], let key = keys["key"] else {
            throw value.problem("expected {url: https://leader.example.org:8900, key: KEY}")
        }
        let address = try url.text("a URL")
        // As it is written: it is in the plan's digest.
        guard CoordinatorAddress(address) != nil else {
            throw url.problem(
                "expected an aggregator's address, such as https://leader.example.org:8900, without a path; http:// on this machine alone"
            )
        }
        return TallyPlan.Aggregator(url: address, identity: try identity(key))
    }

    private static func identity(_ value: YAMLValue) throws -> TallyIdentity {
        guard let identity = TallyIdentity(text: try value.text("a key")) else {
            throw value.problem("expected a party's public key", hint: "from: parley devices tally key FILE")
        }
        return identity
    }

    private static func enroller(_ value: YAMLValue) throws -> Data {
        guard let key = Data(base64Encoded: try value.text("a key")), key.count == 32 else {
            throw value.problem("expected an enroller's public key", hint: "from: parley devices enrol --key FILE")
        }
        return key
    }
}

extension TallyKey {
    /// The private key in a file, in base64; made there, for its owner alone, where there is none.
    ///
    /// - Throws: A `Problem`.
    public init(file path: String, makes: Bool = false) throws {
        if let content = FileManager.default.contents(atPath: path) {
            let text = String(decoding: content, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
            guard let bytes = Data(base64Encoded: text), let key = TallyKey(bytes) else {
                throw Problem.invalidRequest(
                    "\(path) is no key of a tally's party", hint: "parley devices tally key FILE makes one")
            }
            self = key
            return
        }
        guard makes else {
            throw Problem.absent("\(path) cannot be read", hint: "parley devices tally key FILE makes a key")
        }
        self.init()
        let parent = URL(filePath: path).deletingLastPathComponent().path
        try TrainingFolder.replace(path, with: Array((bytes.base64EncodedString() + "\n").utf8), in: parent)
    }
}
