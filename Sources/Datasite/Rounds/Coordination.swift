public import Crypto
public import DatasiteProtocol
import DifferentialPrivacy
import Federation
import Foundation
public import Learning
import Secrets

/// A run that several datasites are asked to take part in, and its folder: what is done, among whom, and what came of it. No network in it.
public struct Coordination: Sendable {
    /// A datasite of the run.
    public struct Site: Sendable, Hashable, Codable {
        /// As it calls itself.
        public var name: String
        /// Where it is.
        public var url: String
        /// Its Ed25519 public key, in base64.
        public var key: String

        /// A site, by its parts.
        public init(name: String, url: String, key: String) { (self.name, self.url, self.key) = (name, url, key) }
    }

    /// What each site is sent: the request of the engine `federated-training`.
    public struct Request: Sendable, Hashable, Codable {
        /// The plan's text.
        public var plan: String
        /// In hexadecimal digits.
        public var run: String
        /// Where sites dial out to.
        public var coordinator: String
        /// What replies are signed by, in base64.
        public var coordinatorKey: String
        /// The keys of all sites, in base64.
        public var sites: [String]
    }

    private struct Stored: Codable {
        var request: Request
        var sites: [Site]
        var agreement: FederatedAgreement
    }

    /// The engine that is asked.
    public static let engine = "federated-training"

    /// Of the folder.
    public let path: String
    /// What sites are sent.
    public let request: Request
    /// Which, in the order of their places.
    public let sites: [Site]
    /// What they agreed on; nil before ``create(at:agreements:)``.
    public let agreement: FederatedAgreement?
    /// What signs replies.
    public let key: Curve25519.Signing.PrivateKey

    /// A run that nobody was asked for yet.
    ///
    /// - Throws: A `Problem`: an address or a plan that is none.
    public init(plan: String, sites: [Site], address: String) throws {
        guard let address = CoordinatorAddress(address) else {
            throw Problem.invalidRequest("\(DisplayedName.of(address)): \(CoordinatorAddress.expected)")
        }
        let document = try TrainingDocument(plan)
        guard document.federation != nil, document.dataset != nil else {
            throw Problem.invalidManifest(
                document.dataset == nil
                    ? "`data` names files, not a dataset of the sites" : "the key `federation` is missing",
                hint:
                    "`parley simulate PLAN --data FOLDER` tries a plan on files of your own; a plan for datasites names their dataset: "
                    + "data: {dataset: NAME, features: [...], label: NAME}")
        }
        key = Curve25519.Signing.PrivateKey()
        request = Request(
            plan: plan, run: hexadecimal(SecureRandom.bytes(16)), coordinator: address.url,
            coordinatorKey: key.publicKey.rawRepresentation.base64EncodedString(), sites: sites.map(\.key))
        (self.sites, agreement, path) = (sites, nil, "")
    }

    private init(path: String, stored: Stored, key: Curve25519.Signing.PrivateKey) {
        (self.path, self.key) = (path, key)
        (request, sites, agreement) = (stored.request, stored.sites, stored.agreement)
    }

    /// Whether there is a run in a folder.
    public static func exists(at path: String) -> Bool { RunFolder(path: path).has(.run) }

    /// The run in a folder.
    ///
    /// - Throws: A `Problem`: there is none, or it is damaged.
    public init(at path: String) throws {
        let folder = RunFolder(path: path)
        let bytes = try folder.read(.key)
        let text = String(decoding: bytes, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
        guard let secret = Data(base64Encoded: text),
            let key = try? Curve25519.Signing.PrivateKey(rawRepresentation: secret)
        else { throw Problem.unavailable("\(folder.path(.key)) is no Ed25519 key") }
        self.init(path: path, stored: try folder.decode(Stored.self, .run), key: key)
    }

    /// The sites' agreement: what all of them say they would do.
    ///
    /// - Parameter agreements: In the sites' order.
    /// - Throws: A `Problem` that says what differs, and where.
    public func agreed(_ agreements: [FederatedAgreement]) throws -> FederatedAgreement {
        guard let first = agreements.first, agreements.count == sites.count else {
            throw Problem.invalidRequest("each site says what it would do")
        }
        for (site, other) in zip(sites, agreements).dropFirst() {
            let own = Set(first.inputs)
            let differences =
                first.inputs.filter { !other.inputs.contains($0) }.map { "\(sites[0].name): \($0)" }
                + other.inputs.filter { !own.contains($0) }.map { "\(site.name): \($0)" }
            guard differences.isEmpty else {
                throw Problem.conflict(
                    "the manifests of \(sites[0].name) and \(site.name) differ: \(differences.joined(separator: "; "))",
                    hint:
                        "what is trained on must be declared alike: their owners may agree on names, domains, bounds and rows of a unit"
                )
            }
            guard first.plan == other.plan, first.architecture == other.architecture else {
                throw Problem.conflict(
                    "\(sites[0].name) and \(site.name) would do different things by this plan",
                    hint:
                        "their versions of Parley may differ, or their policies' deltas: say `privacy.delta` in the plan"
                )
            }
        }
        return first
    }

    /// Makes the run's folder, for its owner alone: what is in it can go on after a crash.
    ///
    /// - Throws: A `Problem`: the folder is there already, or what ``agreed(_:)`` throws.
    public func create(at path: String, agreements: [FederatedAgreement]) throws -> Coordination {
        let agreement = try agreed(agreements)
        let model: Model
        do throws(ModelError) { model = try Architecture.model(json: Array(agreement.architecture.utf8)) } catch {
            throw Problem.unavailable("the sites' model cannot be read here: \(error)")
        }
        var random = SecureRandom()
        let weights = model.trained(model.initialParameters(using: &random))
        guard let run = Data(hexadecimal: request.run) else { throw Problem.invalidRequest("the run has no name") }
        let roster = sites.map { Data(base64Encoded: $0.key) ?? Data() }
        let beginning: Coordinator
        do throws(FederationError) {
            beginning = try Coordinator(plan: agreement.plan, roster: roster, run: run, weights: weights)
        } catch { throw Problem.invalidManifest("\(error)") }
        try TrainingFolder(path: path).create()
        let folder = RunFolder(path: path)
        try folder.write(Array((key.rawRepresentation.base64EncodedString() + "\n").utf8), to: .key)
        try CoordinatorRun.store(beginning, in: folder)
        let stored = Stored(request: request, sites: sites, agreement: agreement)
        // The last file: with it there is a run.
        try folder.write(Array(try JSONEncoder().encode(stored)), to: .run)
        return Coordination(path: path, stored: stored, key: key)
    }

    /// Whether a weights' average is measured and written in place of the last round's.
    var averaging: Float? { (try? TrainingDocument(request.plan))?.averaging }

    /// The plan's name.
    public var name: String { (try? TrainingDocument(request.plan))?.name ?? "run" }

    /// Coordinates, from where it was.
    ///
    /// - Parameters:
    ///   - patience: In seconds: for so long those sites that are there wait for the others before the first round.
    ///   - changed: Told when a round, a phase or an event is new; it must not take long.
    public func begin(
        patience: Double, changed: @escaping @Sendable (CoordinatorRun.Progress) -> Void
    ) throws -> CoordinatorRun {
        try CoordinatorRun(folder: path, key: key, averaging: averaging, patience: patience, changed: changed)
    }

    /// With noise: what so many begun rounds come to, at the plan's delta; nil without.
    public func epsilon(after attempts: Int) -> Double? {
        guard let plan = agreement?.plan, attempts > 0, case .repeated(let step, _)? = try? plan.event(),
            let delta = (try? TrainingDocument(request.plan))?.privacy?.delta, var accountant = try? RenyiAccountant(),
            (try? accountant.compose(.repeated(step, times: attempts))) != nil
        else { return nil }
        return (try? accountant.epsilon(delta: delta))?.upper
    }

    // MARK: What came of it

    /// Whether a site's release is of this run.
    ///
    /// - Parameter place: The site's.
    public func isReleased(_ model: ReleasedModel, by place: Int) -> Bool {
        guard let federation = model.federation, let agreement else { return false }
        return federation.run == request.run && federation.sites == request.sites && federation.place == place
            && federation.coordinatorKey == request.coordinatorKey && model.plan == request.plan
            && federation.planDigest == hexadecimal(agreement.plan.digest)
    }

    /// Writes the model of all rounds, and its curve.
    ///
    /// - Returns: The files' names.
    public func write(_ weights: [Float], _ curve: RoundCurve, into path: String) throws -> [String] {
        guard let agreement else { return [] }
        let folder = TrainingFolder(path: path)
        let parameters: Parameters
        do throws(ModelError) {
            let model = try Architecture.model(json: Array(agreement.architecture.utf8))
            parameters = try model.parameters(FederatedTerms.shapes(of: model), trained: weights)
        } catch { throw Problem.invalidData("\(error)") }
        let files: [(TrainingFolder.File, [UInt8])] = [
            (.weights, SafeTensors.write(parameters)), (.architecture, Array(agreement.architecture.utf8)),
            (.plan, Array(request.plan.utf8)), (.curves, Array(curve.jsonLines.utf8)),
            (.plot, Array(curve.svg(title: name).utf8)),
        ]
        for (file, content) in files { try folder.write(content, to: file) }
        return files.map(\.0.rawValue)
    }
}

extension Data {
    /// nil: no hexadecimal digits.
    init?(hexadecimal text: String) {
        guard text.utf8.count % 2 == 0 else { return nil }
        let digits = Array(text.utf8)
        self.init(capacity: digits.count / 2)
        for place in stride(from: 0, to: digits.count, by: 2) {
            guard let byte = UInt8(String(decoding: digits[place..<place + 2], as: UTF8.self), radix: 16) else {
                return nil
            }
            append(byte)
        }
    }
}
