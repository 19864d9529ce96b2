import Crypto
public import DatasiteProtocol
public import EncryptedPrediction
import Foundation
import Governance
import ModularArithmetic
import SecureComputation

/// A model that this site predicts with on shares: its public terms, its weights, and the mask that a dealer made for them.
public struct ServedModel: Sendable, CustomStringConvertible, CustomReflectable {
    /// Its name at the site.
    public let name: String
    /// The dataset whose policy it has.
    public let dataset: String
    /// What is public of it.
    public let terms: PredictionTerms
    /// Who deals.
    public let dealer: ServedPrediction.Dealer
    /// What becomes 0 and 1 before the model takes it; nil: rows are as it takes them.
    public let range: ClosedRange<Float>?
    /// Hides the weights, and is bound to them.
    let mask: WeightMask
    /// SHA-256 of the masked weights, in hexadecimal digits.
    let maskedDigest: String
    private let weightsFile: String
    private let shapes: [[Int]]

    /// Sixteen bytes that name its weights, in hexadecimal digits.
    public var version: String { hexadecimal(mask.identifier) }

    // MARK: Files

    private struct Description: Codable {
        var dataset: String
        var terms: Data
        var dealer: ServedPrediction.Dealer
        var mask: Data
        var shapes: [[Int]]
        var range: [Float]?
        /// SHA-256 of the masked weights.
        var masked: String
    }

    private static let descriptionFile = "model.json"
    private static let weightsFileName = "weights.u64"

    /// Keeps a model; it is there whole, or not at all.
    static func keep(
        _ prepared: PreparedModel, _ added: AddedModel, dealer: ServedPrediction.Dealer, mask: WeightMask,
        masked: String, in folder: String
    ) throws {
        let name = added.name
        let draft = folder + "/.new-\(name)"
        try? FileManager.default.removeItem(atPath: draft)
        for path in [folder, draft] where !FileManager.default.fileExists(atPath: path) {
            try FileManager.default.createDirectory(
                atPath: path, withIntermediateDirectories: false, attributes: [.posixPermissions: 0o700])
        }
        let description = Description(
            dataset: added.dataset, terms: Data(prepared.terms.bytes), dealer: dealer, mask: Data(mask.stored),
            shapes: prepared.weights.map(\.shape), range: added.range.map { [$0.lowerBound, $0.upperBound] },
            masked: masked)
        var words = Data()
        for tensor in prepared.weights {
            tensor.words.map(\.littleEndian).withUnsafeBytes { words.append(contentsOf: $0) }
        }
        try TrainingFolder.replace(draft + "/" + weightsFileName, with: Array(words), in: draft)
        try TrainingFolder.replace(
            draft + "/" + descriptionFile, with: Array(try JSONEncoder().encode(description)), in: draft)
        try FileManager.default.moveItem(atPath: draft, toPath: folder + "/" + name)
        try SiteFolder.synchronize(folder)
    }

    init(name: String, in folder: String) throws {
        let path = folder + "/" + name
        guard let bytes = try? Data(contentsOf: URL(filePath: path + "/" + Self.descriptionFile)) else {
            throw Problem.absent(
                "there is no model \(DisplayedName.of(name)) here", hint: "`parley model list` names all")
        }
        do {
            let read = try JSONDecoder().decode(Description.self, from: bytes)
            (self.name, dataset, dealer, shapes) = (name, read.dataset, read.dealer, read.shapes)
            maskedDigest = read.masked
            range = read.range.flatMap { $0.count == 2 && $0[0] < $0[1] ? $0[0]...$0[1] : nil }
            terms = try PredictionTerms(bytes: Array(read.terms))
            mask = try WeightMask(stored: Array(read.mask))
        } catch {
            throw Problem.unavailable(
                "the model \(DisplayedName.of(name)) cannot be read",
                hint: "`parley model remove \(name)`, and add it again")
        }
        weightsFile = path + "/" + Self.weightsFileName
    }

    /// The weights: private.
    func weights() throws -> [RingTensor] {
        let bytes = try Data(contentsOf: URL(filePath: weightsFile), options: .alwaysMapped)
        var offset = 0
        return try shapes.map { shape in
            let count = try RingTensor.count(shape)
            guard bytes.count >= offset + 8 * count else {
                throw Problem.unavailable("the model's weights are cut off")
            }
            defer { offset += 8 * count }
            let words = bytes.withUnsafeBytes { bytes in
                (0..<count).map {
                    UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: offset + 8 * $0, as: UInt64.self))
                }
            }
            return try RingTensor(shape: shape, words: words)
        }
    }

    /// Names alone.
    public var description: String { "ServedModel(\(name) of \(dataset))" }
    /// Nothing.
    public var customMirror: Mirror { Mirror(self, children: []) }
}

/// What an owner says of a model that she adds.
public struct AddedModel: Sendable, Hashable {
    /// As datasets are named.
    public var name: String
    /// Whose rows it was made from: its policy says who may ask, and how often.
    public var dataset: String
    /// What becomes 0 and 1 before the model takes it; nil: rows are as it takes them.
    public var range: ClosedRange<Float>?

    /// By its parts.
    public init(name: String, dataset: String, range: ClosedRange<Float>? = nil) {
        (self.name, self.dataset, self.range) = (name, dataset, range)
    }
}

extension SiteFolder {
    /// Models that are predicted with on shares: a folder each.
    var models: String { path + "/models" }
}

extension Datasite {
    /// Adds a model for predictions on shares: a mask for its weights is asked of the dealer, bound to them, and stored before anything that it hides can leave.
    ///
    /// - Parameters:
    ///   - added: Its name and its dataset.
    ///   - connection: Reaches the dealer.
    /// - Throws: A `Problem`.
    public func addModel(
        _ prepared: PreparedModel, _ added: AddedModel, dealer: ServedPrediction.Dealer,
        over connection: any CoordinatorConnection
    ) async throws -> ServedModel {
        // The dealer's reply is waited for: on no thread of Swift's tasks, which the reply needs too.
        try await reading { site in try site.keepModel(prepared, added, dealer: dealer, over: connection) }
    }

    private func keepModel(
        _ prepared: PreparedModel, _ added: AddedModel, dealer: ServedPrediction.Dealer,
        over connection: any CoordinatorConnection
    ) throws -> ServedModel {
        let (name, dataset) = (added.name, added.dataset)
        guard Manifest.isName(name) else { throw Problem.invalidRequest("a model is named as datasets are: chest") }
        guard let entry = try catalogue().datasets[dataset] else { throw try catalogue().absent(dataset) }
        guard entry.policy != nil else {
            throw Problem.invalidRequest("\(dataset) is a public lookup table, which has no policy")
        }
        guard !FileManager.default.fileExists(atPath: folder.models + "/" + name) else {
            throw Problem.conflict(
                "there is a model \(name) already", hint: "`parley model remove \(name)`, or another name")
        }
        let calls = DealerCalls(dealer: dealer, key: signingKey, connection: connection)
        var mask = try calls.mask()
        let program = try Self.reporting { try prepared.terms.program(rows: 1) }
        let masked = try Self.reporting { try mask.masked(prepared.weights, of: .second, in: program) }
        try reportingProblems {
            try ServedModel.keep(
                prepared, added, dealer: dealer, mask: mask, masked: sha256Hex(masked.bytes), in: folder.models)
        }
        return try servedModel(name)
    }

    private static func reporting<Result>(_ body: () throws -> Result) throws -> Result {
        do { return try body() } catch { throw Problem.invalidRequest("\(error)") }
    }

    /// A model of that name.
    ///
    /// - Throws: A `Problem`.
    public func servedModel(_ name: String) throws -> ServedModel {
        guard Manifest.isName(name) else { throw Problem.absent("there is no such model here") }
        return try ServedModel(name: name, in: folder.models)
    }

    /// The names of all models, in their order.
    public func servedModels() -> [String] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.models)) ?? []
        return names.filter { Manifest.isName($0) }.sorted()
    }

    /// Removes a model, its weights and its mask. Requests for it that were charged cannot be computed any more.
    ///
    /// - Throws: A `Problem`.
    public func removeModel(_ name: String) throws {
        guard servedModels().contains(name) else {
            throw Problem.absent(
                "there is no model \(DisplayedName.of(name)) here", hint: "`parley model list` names all")
        }
        if let model = try? servedModel(name) { preparing.removeAll(version: model.version) }
        try reportingProblems { try FileManager.default.removeItem(atPath: folder.models + "/" + name) }
    }

    /// What is public of the model that a dataset's policy lets researchers predict with.
    ///
    /// - Throws: A `Problem`: the policy allows none.
    public func prediction(of dataset: String) throws -> ServedPrediction {
        let (model, rule) = try predictionModel(dataset, in: catalogue())
        return ServedPrediction(
            dataset: dataset, model: model.name, version: model.version, terms: Data(model.terms.bytes),
            dealer: model.dealer, site: signingKey.publicKey.rawRepresentation, rows: rule.rows,
            weights: model.maskedDigest, range: model.range.map { [$0.lowerBound, $0.upperBound] })
    }

    /// The weights of that model under their mask, once for all predictions: the mask's name, and little-endian words in the program's order.
    ///
    /// - Throws: A `Problem`.
    public func maskedWeights(of dataset: String) throws -> [UInt8] {
        let (model, _) = try predictionModel(dataset, in: catalogue())
        var mask = model.mask
        let masked = try mask.masked(try model.weights(), of: .second, in: try model.terms.program(rows: 1))
        return masked.bytes
    }

    func predictionModel(_ dataset: String, in catalogue: Catalogue) throws -> (ServedModel, PredictionRule) {
        guard let entry = catalogue.datasets[dataset] else { throw catalogue.absent(dataset) }
        guard let rule = entry.policy?.rule(for: PredictionRule.engine, isAllowedUnlessSaid: false)?.prediction else {
            throw Problem.notAllowed(
                "the policy of \(dataset) allows no predictions on shares", hint: "its owner may allow `prediction`")
        }
        return (try model(for: rule, of: dataset), rule)
    }

    /// The model that a rule of a dataset's policy names.
    ///
    /// - Throws: A `Problem`: none of that name, of that dataset and of that version is here.
    func model(for rule: PredictionRule, of dataset: String) throws -> ServedModel {
        let model = try servedModel(rule.model)
        guard model.dataset == dataset, model.version == hexadecimal(rule.version) else {
            throw Problem.unavailable(
                "the policy of \(dataset) names another model than the one that is here",
                hint: "its owner: `parley model show \(rule.model)` prints the version that the policy has to name")
        }
        return model
    }
}
