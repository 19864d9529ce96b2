import DatasiteProtocol
import DifferentialPrivacy
import Foundation
import Governance
import Learning
import Query
import Secrets
import Tables

/// A model that somebody else made, and how it is measured on a dataset's rows: from what was sent, manifest and policy alone (docs/privacy.md, rule 35).
struct EvaluationTask: Sendable {
    let request: EvaluationRequest
    let rows: LearnedRows
    let model: Model
    let parameters: Parameters
    /// What the two counts may cost.
    let loss: PrivacyLoss
    let noise: IntegerNoise
    /// How many rows are computed together.
    let together: Int
    /// SHA-256 of the file of weights, in hexadecimal digits.
    let digest: String
    /// Which columns go in, as they were named.
    private let columns: [String]

    var entry: Catalogue.Entry { rows.entry }
    var label: String { entry.manifest.schema.columns[rows.label.column].name }

    /// The largest file of weights in base64.
    static let largestWeightsText = (EvaluationRequest.largestWeights + 2) / 3 * 4
    /// The largest text of an architecture, or of what goes in, in bytes.
    static let largestText = 64 << 10

    init(_ request: EvaluationRequest, in catalogue: Catalogue) throws {
        let section = try TrainingDatasetSection(YAMLValue.document(request.data))
        rows = try LearnedRows(section, .crossEntropy, in: catalogue)
        columns = section.features.map(\.column)
        guard case .classes(let classes) = rows.target else {
            throw Problem.invalidRequest("`label`: \(section.label) has no declared domain, so that no answer is right")
        }
        loss = try rows.policy.regime.planned(request.budget)
        let weights = try Self.weights(request.weights)
        digest = sha256Hex(weights)
        let unit = rows.entry.manifest.unit.rowsPerUnit
        let sent = try SentModel(
            request.model, weights, rows.features, classes: classes, rowsPerUnit: unit, on: section.dataset)
        (model, parameters) = (sent.model, sent.parameters)
        together = min(model.rowsTogether, TrainingBounds.rowsTogether(model))
        do throws(MechanismError) { noise = try Self.noise(rowsPerUnit: unit, loss) } catch {
            throw Problem.invalidRequest("\(error)", hint: "a larger epsilon or rho")
        }
        self.request = request
    }

    private static func weights(_ text: String) throws -> [UInt8] {
        guard let bytes = Data(base64Encoded: text) else {
            throw Problem.invalidRequest("'weights' is no base64", hint: "the bytes of a file of safetensors")
        }
        return Array(bytes)
    }

    // MARK: What is measured

    /// For the vector of two counts, of rows that the model is right about and of others. A unit has at most m rows in both together, hence changes the vector by at most m in L1, and in
    /// L2 by at most that.
    static func noise(rowsPerUnit: Int, _ loss: PrivacyLoss) throws(MechanismError) -> IntegerNoise {
        let rows = UInt128(rowsPerUnit)
        return try IntegerNoise(l1Sensitivity: rows, l2SensitivitySquared: rows * rows, loss: loss)
    }

    /// Both counts, exact: private. nil: they do not fit what was planned, as none do that follow from the manifest.
    func counts(_ table: Table, _ key: ClusteringKey, _ part: EvaluationRequest.Part) -> [Int64]? {
        let second = table.secondHalf(key)
        let units = part == .final ? second : second.map(!)
        guard let examples = rows.examples(table, units: units),
            let right = try? model.rightRows(of: examples, parameters, together: together)
        else { return nil }
        let count = right.count { $0 }
        return [Int64(count), Int64(right.count - count)]
    }

    /// The model whatever file it came in, its architecture and its values; on which version, and which columns.
    var modelDigest: String {
        let place = CanonicalJSON.array(([entry.version, label] + columns).map { .string($0) }).bytes
        return sha256Hex(place + Architecture.json(model) + SafeTensors.write(parameters))
    }

    // MARK: What it takes

    /// Nanoseconds of a row and of a chunk of them, on rows that nobody's data are in.
    func measuredCost() throws -> [Double] {
        func nanoseconds(_ count: Int) throws(ModelError) -> Double {
            let examples = try rows.madeUp(rows: count, model.inputShape)
            // The first run brings the weights to where they are quick to reach.
            var best = Double.infinity
            for turn in 0..<3 where turn == 0 || best < 2e8 {
                best = min(
                    best,
                    WorkCalibration.nanoseconds {
                        _ = try? model.rightRows(of: examples, parameters, together: together)
                    })
            }
            return best
        }
        return [try nanoseconds(together) / Double(together), try nanoseconds(1)]
    }

    /// The most work and memory, whatever the rows hold (docs/privacy.md, rule 26): either half may hold nearly all of them.
    func bound(_ cost: [Double]) -> PlanBound {
        let manifest = entry.manifest
        let count = Double(manifest.capacityRows)
        let forward = Work([
            .measured: count * cost[0] + (count / Double(together) + 1) * cost[1], .noise: 2, .scan: 1,
        ])
        let memory =
            count * (3 * Double(rows.features.rowBytes) + 60)
            + 12 * Double(together) * Double(model.valuesPerRow)
            + 12 * Double(request.weights.utf8.count + request.model.utf8.count)
        return PlanBound(work: rows.reading(rows: count) + entry.dividing + forward, memory: memory)
    }

    // MARK: Words

    static func words(_ request: EvaluationRequest, _ part: EvaluationRequest.Part) -> String {
        let verb = "EVALUATE (\(part.rawValue))"
        guard let section = try? TrainingDatasetSection(YAMLValue.document(request.data)) else { return verb }
        return "\(verb) ON \(section.dataset): \(request.metric) of \(section.label) from "
            + section.features.map(\.column).joined(separator: ", ")
    }
}

/// A model that somebody sent: what of it follows from its own files, and from what goes in.
struct SentModel: Sendable {
    let model: Model
    let parameters: Parameters

    /// - Parameters:
    ///   - text: The architecture, in JSON.
    ///   - weights: The bytes of a file of safetensors.
    ///   - classes: How many labels there are.
    ///   - rowsPerUnit: How many rows it may have to compute together.
    ///   - dataset: What it is measured on, in words.
    /// - Throws: A `Problem`: what is wrong in it.
    init(
        _ text: String, _ weights: [UInt8], _ features: TrainingFeatures, classes: Int, rowsPerUnit: Int,
        on dataset: String
    ) throws {
        do throws(ModelError) {
            model = try Architecture.model(json: Array(text.utf8))
            guard model.inputShape == features.rowShape else {
                throw .data(
                    "the model takes rows of \(Self.words(model.inputShape))",
                    expected: "\(Self.words(features.rowShape)), as the features of \(dataset) are")
            }
            try model.checkLabels(classes)
            try TrainingBounds.check(model, rowsPerUnit: rowsPerUnit)
            parameters = try model.parameters(safetensors: weights)
            let tensors = zip(parameters.names, parameters.tensors)
            if let wrong = tensors.first(where: { !$0.1.values.allSatisfy(\.isFinite) }) {
                throw .parameter(name: wrong.0, expected: "has a value that is no finite number")
            }
        } catch { throw Problem.invalidRequest("\(error)") }
    }

    private static func words(_ shape: [Int]) -> String { shape.map(String.init).joined(separator: "x") }
}

extension Catalogue.Entry {
    /// Of dividing the table into halves: a hash of each unit's name, or of all that a row holds.
    var dividing: Work {
        let count = Double(manifest.capacityRows)
        guard manifest.unitColumnName == nil else { return Work([.probe: Double(manifest.capacityUnits)]) }
        let schema = manifest.schema
        let bytes =
            schema.columns.reduce(0) { $0 + ($1.type == .text ? $1.maximumBytes : 8) }
            + schema.arrays.reduce(0) { $0 + $1.rowBytes }
        return Work([.format: count * Double(schema.columns.count + 1), .byte: 4 * count * Double(bytes)])
    }
}
