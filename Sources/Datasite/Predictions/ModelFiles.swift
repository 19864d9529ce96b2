import DatasiteProtocol
public import EncryptedPrediction
import Foundation
import Learning
public import SecureComputation

/// A trained model's files, read and prepared for predictions on shares.
public enum ModelFiles {
    /// What can be set of it.
    public struct Settings: Sendable {
        /// The largest magnitude of a number that goes in.
        public var inputBound = 1.0
        /// Whether what goes in is never negative, as pixels are: bounds of errors are smaller.
        public var inputsAreNonNegative = false
        /// Trades rounds for what is dealt.
        public var comparison = ComparisonForm.oneRound
        /// What is opened of a prediction.
        public var output = PredictionTerms.Output.label
        /// Public rows, as the model takes them, from which activations' bounds are calibrated; empty: worst cases are taken.
        public var calibration: [Float] = []

        /// As usual.
        public init() {}
    }

    /// Reads and prepares a model.
    ///
    /// - Parameters:
    ///   - architecture: The path of its architecture (`architecture.json`).
    ///   - weights: The path of its weights (safetensors).
    /// - Throws: A `Problem`.
    public static func prepare(
        architecture: String, weights: String, _ settings: Settings
    ) throws -> PreparedModel {
        let text = try WholeFile(architecture, named: architecture).bytes
        let file = try WholeFile(weights, named: weights).bytes
        do {
            let model = try Architecture.model(json: text)
            let parameters = try model.parameters(safetensors: file)
            return try PreparedModel(
                model, parameters, inputBound: settings.inputBound,
                inputsAreNonNegative: settings.inputsAreNonNegative,
                calibration: settings.calibration.isEmpty ? nil : settings.calibration, output: settings.output,
                comparison: settings.comparison)
        } catch let problem as Problem { throw problem } catch {
            throw Problem.invalidData("\(error)")
        }
    }

    /// The shape of a row that an architecture takes.
    ///
    /// - Parameter architecture: The path of `architecture.json`.
    /// - Throws: A `Problem`.
    public static func inputShape(architecture: String) throws -> [Int] {
        let text = try WholeFile(architecture, named: architecture).bytes
        do { return try Architecture.model(json: text).inputShape } catch {
            throw Problem.invalidData("\(architecture): \(error)")
        }
    }

    /// Numbers of a file, row by row: `.npy`, IDX, or one array of an archive (`FILE.npz:NAME`); of a PNG file one row, with the channels first.
    ///
    /// - Parameter range: What becomes 0 and 1; nil: numbers stay as they are.
    /// - Throws: A `Problem`.
    public static func rows(
        _ path: String, of shape: [Int], range: ClosedRange<Float>?
    ) throws -> (values: [Float], rows: Int) {
        let array = try rows(path)
        let count = shape.reduce(1, *)
        // A file of one row may have no extent for rows.
        let isOne = array.rowShape.reduce(1, *) != count && array.count == count
        guard isOne || array.rowShape.reduce(1, *) == count else {
            throw Problem.invalidData(
                "\(path) has rows of \(array.rowShape), and the model takes rows of \(shape)")
        }
        var values = array.floats()
        guard values.allSatisfy({ $0.isFinite }) else { throw Problem.invalidData("\(path) holds what is no number") }
        if let range {
            let scaling = InputScaling.bounds(lower: range.lowerBound, upper: range.upperBound)
            for place in values.indices { values[place] = scaling.scaled(values[place]) }
        }
        return (values, isOne ? 1 : array.rows)
    }

    /// What a model says of a file's rows in floating point, in the clear: the outputs before softmax.
    ///
    /// - Throws: A `Problem`.
    public static func scores(
        architecture: String, weights: String, rows path: String, range: ClosedRange<Float>?
    ) throws -> [[Float]] {
        let text = try WholeFile(architecture, named: architecture).bytes
        let file = try WholeFile(weights, named: weights).bytes
        do {
            let model = try Architecture.model(json: text)
            let (values, count) = try rows(path, of: model.inputShape, range: range)
            let output = try model.predict(
                Tensor(shape: [count] + model.inputShape, values: values), try model.parameters(safetensors: file))
            let classes = output.values.count / max(1, count)
            return (0..<count).map { Array(output.values[$0 * classes..<($0 + 1) * classes]) }
        } catch let problem as Problem { throw problem } catch {
            throw Problem.invalidData("\(error)")
        }
    }

    private static func rows(_ path: String) throws -> DataArray {
        if path.lowercased().hasSuffix(".png") {
            let whole = try WholeFile(path, named: path)
            do {
                return try PNGFile.read(whole.bytes, .system(largest: WholeFile.largest)).asOneRow.channelsFirst()
            } catch {
                throw Problem.invalidData("\(path): \(error)")
            }
        }
        var reader = ArrayFileReader()
        return try reader.array(ArrayFile(name: "rows", path: path))
    }
}
