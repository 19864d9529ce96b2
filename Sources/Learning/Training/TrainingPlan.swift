/// How a model is trained: all of it public.
public struct TrainingPlan: Sendable {
    /// What is trained.
    public var model: Model
    /// What is made small.
    public var loss: Loss
    /// How a gradient changes parameters.
    public var optimizer: Optimizer
    /// The learning rate, before the schedule's factor.
    public var learningRate: Float
    /// The learning rate's factor at each step.
    public var schedule: Schedule
    /// How many steps are taken.
    public var steps: Int
    /// A factor for the loss of rows of each label; nil: 1.
    public var classWeights: [Float]?
    /// Of the running average of the weights (Polyak and Juditsky 1992), the part that stays at each step; nil: there is none. At step t it is at
    /// most (1 + t) / (10 + t), so that the beginning is soon forgotten. Averaging noisy weights costs no privacy.
    public var averaging: Float?
    /// What happens to each row before it is trained on, by itself, drawn from its key.
    public var augmentations: [Augmentation] = []
    /// How many rows are computed together. What a chunk is follows from shapes, never from the number of threads.
    public var chunkRows: Int

    /// - Throws: Numbers out of range, each with what would be right.
    public init(
        model: Model, loss: Loss, optimizer: Optimizer, learningRate: Float, schedule: Schedule = .constant, steps: Int,
        classWeights: [Float]? = nil, averaging: Float? = nil
    ) throws(ModelError) {
        guard learningRate > 0, learningRate.isFinite else {
            throw .data("the learning rate \(learningRate)", expected: "a positive number")
        }
        guard steps >= 1 else { throw .data("\(steps) steps", expected: "at least 1") }
        if let classWeights {
            guard classWeights.allSatisfy({ $0 >= 0 && $0.isFinite }), classWeights.count == model.outputShape.product
            else {
                throw .data(
                    "the class weights",
                    expected: "\(model.outputShape.product) numbers that are not negative, one for each output")
            }
        }
        if let averaging, !(averaging >= 0 && averaging < 1) {
            throw .data("averaging \(averaging)", expected: "a number from 0 to below 1")
        }
        self.averaging = averaging
        self.model = model
        self.loss = loss
        self.optimizer = optimizer
        self.learningRate = learningRate
        self.schedule = schedule
        self.steps = steps
        self.classWeights = classWeights
        chunkRows = model.rowsTogether
    }

    /// - Throws: What does not fit the model or the loss.
    public func check(_ examples: Examples) throws(ModelError) {
        guard examples.rowShape == model.inputShape else {
            throw .shape(
                layer: model.layers.first?.title ?? "input", arrived: examples.rowShape,
                expected: "rows of \(model.inputShape.extents)")
        }
        try loss.check(outputs: model.outputShape, examples.targets)
        for augmentation in augmentations { try augmentation.check(rowShape: examples.rowShape) }
    }

    /// Rows as they are computed together.
    ///
    /// - Parameter keys: One a row: what its own randomness follows from.
    func batch(of examples: Examples, _ rows: [Int], keys: [UInt64]) -> Batch {
        let targets = examples.targets.rows(rows)
        var weights: [Float]?
        if let classWeights, case .labels(let labels) = targets {
            weights = labels.map { classWeights[classWeights.count == 1 ? 0 : Int($0)] }
        }
        var inputs = examples.inputs(rows)
        Augmentation.apply(augmentations, to: &inputs, keys: keys)
        return Batch(inputs: inputs, targets: targets, weights: weights, rowKeys: keys)
    }

    /// The learning rate of a step, from 0 on.
    func rate(_ step: Int) -> Float { learningRate * schedule.factor(step: step, of: steps) }
}

extension Model {
    /// How many rows are computed together unless somebody says otherwise: from shapes alone.
    public var rowsTogether: Int { max(1, min(512, (1 << 21) / max(1, valuesPerRow))) }
}

/// What has been learned so far: all that a run needs to go on from here.
public struct TrainingState: Sendable {
    /// The weights.
    public internal(set) var parameters: Parameters
    /// What the optimiser remembers.
    public internal(set) var optimizer: OptimizerState
    /// How many steps were taken.
    public internal(set) var step: Int
    /// The running average of the weights, where the plan asks for one.
    public internal(set) var average: Parameters?

    /// A beginning.
    public init(_ plan: TrainingPlan, _ parameters: Parameters) throws(ModelError) {
        try plan.model.check(parameters)
        self.parameters = parameters
        optimizer = OptimizerState(plan.optimizer, plan.model)
        step = 0
        average = plan.averaging.map { _ in parameters }
    }

    /// What a model is used with: the averaged weights where there are any.
    public var result: Parameters { average ?? parameters }

    /// As it was stored.
    ///
    /// - Throws: What does not fit the plan.
    public init(
        _ plan: TrainingPlan, _ parameters: Parameters, average: Parameters? = nil, optimizer: OptimizerState, step: Int
    ) throws(ModelError) {
        try plan.model.check(parameters)
        let fresh = OptimizerState(plan.optimizer, plan.model)
        guard optimizer.firstMoments.map(\.count) == fresh.firstMoments.map(\.count),
            optimizer.secondMoments.map(\.count) == fresh.secondMoments.map(\.count)
        else { throw .data("the optimiser's state", expected: "moments of this optimiser and this model") }
        guard (0...plan.steps).contains(step), optimizer.steps == step else {
            throw .data("step \(step)", expected: "from 0 to \(plan.steps), the same in the optimiser's state")
        }
        guard (average == nil) == (plan.averaging == nil) else {
            throw .data("the averaged weights", expected: "stored where the plan averages, and only there")
        }
        if let average { try plan.model.check(average) }
        self.parameters = parameters
        self.average = average
        self.optimizer = optimizer
        self.step = step
    }

    /// The optimiser's step, and what follows from it.
    mutating func take(_ gradients: [[Float]], _ plan: TrainingPlan) {
        plan.optimizer.step(&parameters, gradients, rate: plan.rate(step), &optimizer)
        step += 1
        guard let averaging = plan.averaging, average != nil else { return }
        let stays = min(averaging, Float(1 + step) / Float(10 + step))
        for position in parameters.tensors.indices where !gradients[position].isEmpty {
            average?.tensors[position].moveTowards(parameters.tensors[position], part: 1 - stays)
        }
    }
}

extension Tensor {
    /// This plus a part of the way to another of the same shape.
    mutating func moveTowards(_ other: Tensor, part: Float) {
        withMutableValues { target in
            other.withValues { values in
                for index in 0..<other.count { target[index] += part * (values[index] - target[index]) }
            }
        }
    }
}
