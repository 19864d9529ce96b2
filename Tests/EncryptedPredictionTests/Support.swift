import Learning
import ModularArithmetic
import Secrets

@testable import EncryptedPrediction
@testable import SecureComputation

/// Models, rows and two parties for tests.
enum Trial {
    /// LeNet of 20, 50, 500 and 10 outputs, for images of 28 x 28.
    static func leNet() throws -> Model {
        try Model(inputShape: [1, 28, 28]) {
            Convolution(20, kernel: 5, name: "conv1")
            ReLU()
            MaxPool(2)
            Convolution(50, kernel: 5, name: "conv2")
            ReLU()
            MaxPool(2)
            Flatten()
            Linear(500, name: "fc1")
            ReLU()
            Linear(10, name: "fc2")
        }
    }

    /// As a model begins, but for batch normalisation, whose numbers are drawn.
    static func parameters(_ model: Model, seed: UInt64) -> Parameters {
        var generator = SeededGenerator(seed: seed)
        let begin = model.initialParameters(using: &generator)
        let normalized = Set(begin.names.filter { $0.hasSuffix("running_var") }.map { $0.dropLast(11) })
        let tensors = zip(begin.names, begin.tensors).map { name, tensor in
            guard let layer = normalized.first(where: { name.hasPrefix($0) }) else { return tensor }
            let range: ClosedRange<Float> =
                switch name.dropFirst(layer.count) {
                case "running_var": 0.2...2
                case "weight": -1.5...1.5
                default: -0.5...0.5
                }
            return Tensor(
                shape: tensor.shape, values: tensor.values.map { _ in Float.random(in: range, using: &generator) })
        }
        return Parameters(names: begin.names, tensors: tensors)
    }

    /// Numbers evenly in a range.
    static func values(_ count: Int, in range: ClosedRange<Float>, seed: UInt64) -> [Float] {
        var generator = SeededGenerator(seed: seed)
        return (0..<count).map { _ in Float.random(in: range, using: &generator) }
    }

    /// The scores of rows in float32, row by row.
    static func scores(_ model: Model, _ parameters: Parameters, _ values: [Float], rows: Int) throws -> [[Double]] {
        let output = try model.predict(Tensor(shape: [rows] + model.inputShape, values: values), parameters)
        let width = output.count / rows
        return (0..<rows).map { row in output.values[row * width..<(row + 1) * width].map(Double.init) }
    }

    /// The largest difference of two lists of rows.
    static func distance(_ a: [[Double]]?, _ b: [[Double]]) -> Double {
        guard let a, a.map(\.count) == b.map(\.count) else { return .infinity }
        return zip(a.joined(), b.joined()).reduce(0) { max($0, abs($1.0 - $1.1)) }
    }

    /// The results that two parties open, with a dealer, every message as bytes, and what it cost.
    static func onShares(
        _ prepared: PreparedModel, _ values: [Float], rows: Int, seed: UInt64, threads: Int = 1
    ) throws -> (results: PredictionResults, cost: ComputationCost) {
        let program = try prepared.terms.program(rows: rows)
        var random = SeededGenerator(seed: seed)
        let session = try ComputationSession(
            program: program, first: "hospital", second: "company", dealer: "dealer",
            nonce: (0..<16).map { _ in UInt8(truncatingIfNeeded: random.next()) })
        var mask = WeightMask(random: &random)
        let masked = try mask.masked(prepared.weights, of: .second, in: program)
        let dealer = try Dealer(program: program, session: session, masks: [.second: mask], random: &random)
        let dealt = dealer.correlations()
        var ledgers = (CorrelationLedger(), CorrelationLedger())
        let inputs = try prepared.terms.inputs(values, rows: rows)
        let claims = (
            try ledgers.0.claim(dealt.first, inputs: PartyInputs(inputs: inputs, maskedWeights: masked)),
            try ledgers.1.claim(dealt.second, inputs: PartyInputs(weights: prepared.weights, mask: mask))
        )
        var first = try TwoPartyMachine(
            program: program, session: session, correlations: dealt.first, claim: claims.0)
        var second = try TwoPartyMachine(
            program: program, session: session, correlations: dealt.second, claim: claims.1)
        (first.threads, second.threads) = (threads, threads)
        var messages = (try first.begin(), try second.begin())
        while let one = messages.0, let two = messages.1 {
            let toSecond = try RoundMessage(bytes: one.bytes, words: second.expectedWords)
            let toFirst = try RoundMessage(bytes: two.bytes, words: first.expectedWords)
            messages = (try first.receive(toFirst), try second.receive(toSecond))
        }
        return (try prepared.terms.results(first.outputs ?? [], rows: rows), first.cost)
    }
}
