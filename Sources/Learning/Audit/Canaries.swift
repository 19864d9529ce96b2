/// Made-up units that are put among the examples before training, each with probability 1/2: what the model says of them afterwards shows some of
/// what it would say of people (``OneRunAudit``). Nobody's data are in them.
public struct Canaries: Sendable {
    private let inputs: Tensor
    private let targets: Targets
    /// One a canary.
    private let wasIn: [Bool]

    /// New ones, of the plan's shape: inputs drawn evenly from 0 to 1, and labels at random, so that only a model that has seen one says it.
    public init(_ count: Int, of plan: TrainingPlan, using generator: inout some RandomNumberGenerator) {
        let batch = plan.madeUp(rows: count, using: &generator)
        inputs = batch.inputs
        let outputs = UInt64(max(2, plan.model.outputShape.product))
        targets =
            switch batch.targets {
            case .labels: .labels((0..<count).map { _ in Int32(generator.next() % outputs) })
            case .values(let values):
                .values(
                    Tensor(shape: values.shape, values: values.values.map { _ in Float(generator.next() & 1) }))
            }
        wasIn = (0..<count).map { _ in generator.next() & 1 == 1 }
    }

    /// The examples, and behind them the canaries that are in.
    public func added(to examples: Examples) throws(ModelError) -> Examples {
        let rows = wasIn.indices.filter { wasIn[$0] }
        return try examples.adding(
            inputs: Tensor(
                shape: [rows.count] + inputs.rowShape, values: Self.rows(rows, of: inputs)), targets: targets.rows(rows)
        )
    }

    /// What the model shows of which canaries it saw: a fifth of them is guessed to have been in, and a fifth not.
    public func audit(_ plan: TrainingPlan, _ parameters: Parameters) throws(ModelError) -> OneRunAudit {
        let output = try plan.model.predict(inputs, parameters)
        let losses = plan.loss.measure(output, targets).losses
        return try OneRunAudit(scores: losses.map { -$0 }, wasIn: wasIn, guessing: wasIn.count / 5)
    }

    private static func rows(_ rows: [Int], of tensor: Tensor) -> [Float] {
        let size = tensor.rowShape.product
        return rows.flatMap { tensor.values[$0 * size..<($0 + 1) * size] }
    }

    // MARK: As they are kept

    /// The file's bytes.
    public var bytes: [UInt8] {
        var named = [("inputs", inputs), ("in", Tensor(shape: [wasIn.count], values: wasIn.map { $0 ? 1 : 0 }))]
        switch targets {
        case .labels(let labels):
            named.append(("labels", Tensor(shape: [labels.count], values: labels.map { Float($0) })))
        case .values(let values): named.append(("values", values))
        }
        return SafeTensors.write(Parameters(names: named.map(\.0), tensors: named.map(\.1)))
    }

    /// - Throws: A file that is not one of canaries for this plan.
    public init(_ bytes: [UInt8], of plan: TrainingPlan) throws(ModelError) {
        let stored = try SafeTensors.read(bytes)
        guard let inputs = stored["inputs"], let isIn = stored["in"], inputs.rowShape == plan.model.inputShape,
            isIn.count == inputs.rows
        else { throw .data("the canaries", expected: "a whole file that training wrote") }
        if let labels = stored["labels"], labels.count == inputs.rows {
            targets = .labels(labels.values.map { Int32(max(0, min(0x1p24, $0))) })
        } else if let values = stored["values"], values.rows == inputs.rows {
            targets = .values(values)
        } else {
            throw .data("the canaries", expected: "a whole file that training wrote")
        }
        try plan.loss.check(outputs: plan.model.outputShape, targets)
        self.inputs = inputs
        wasIn = isIn.values.map { $0 == 1 }
    }
}
