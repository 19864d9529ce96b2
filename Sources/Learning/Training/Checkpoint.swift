/// All that a plain run needs to go on: stored as a file of tensors, whose metadata hold the rest.
///
/// No generator is stored: each step's randomness follows from the seed and the step's number.
public struct Checkpoint: Sendable {
    /// Where the run stood.
    public let state: TrainingState
    /// The best so far.
    public let best: Selection.Choice?
    /// The epochs that have ended.
    public let curve: LearningCurve
    /// The sum of the losses of the rows of the epoch that has not ended.
    public let lossSum: Double
    /// How many rows those were.
    public let lossRows: Int
    /// Of the next step, where gradients are clipped.
    public let clippingNorm: Double?
    /// Of private training.
    public let privateCurve: PrivateCurve

    /// What a run is at.
    public init(
        state: TrainingState, best: Selection.Choice?, curve: LearningCurve, lossSum: Double, lossRows: Int,
        clippingNorm: Double? = nil, privateCurve: PrivateCurve = PrivateCurve()
    ) {
        self.privateCurve = privateCurve
        self.clippingNorm = clippingNorm
        self.state = state
        self.best = best
        self.curve = curve
        self.lossSum = lossSum
        self.lossRows = lossRows
    }

    private static let version = "1"

    // MARK: Writing

    /// The file's bytes.
    ///
    /// - Parameter digest: Of what the result follows from: plan, seed and files.
    public func bytes(digest: String) -> [UInt8] {
        var named: [(String, Tensor)] = []
        func add(_ prefix: String, _ parameters: Parameters) {
            named += zip(parameters.names, parameters.tensors).map { (prefix + $0, $1) }
        }
        add("parameters/", state.parameters)
        if let average = state.average { add("average/", average) }
        if let best { add("best/", best.parameters) }
        let moments = [("first/", state.optimizer.firstMoments), ("second/", state.optimizer.secondMoments)]
        for (prefix, values) in moments {
            for (name, values) in zip(state.parameters.names, values) where !values.isEmpty {
                named.append((prefix + name, Tensor(shape: [values.count], values: values)))
            }
        }
        var metadata = [
            "checkpoint": Self.version, "digest": digest, "step": String(state.step), "loss-sum": Self.text(lossSum),
            "loss-rows": String(lossRows), "curve": curve.points.map(Self.text).joined(separator: "\n"),
        ]
        if let clippingNorm {
            metadata["clipping-norm"] = Self.text(clippingNorm)
            metadata["private-curve"] = privateCurve.points.map {
                "\($0.step) \(Self.text($0.clippingNorm)) \(Self.text($0.gradientNorm))"
            }.joined(separator: "\n")
        }
        if let best { metadata["best"] = "\(best.step) \(Self.text(best.value))" }
        return SafeTensors.write(
            Parameters(names: named.map(\.0), tensors: named.map(\.1)), metadata: metadata)
    }

    /// To the bit.
    private static func text(_ value: Double) -> String { String(value.bitPattern, radix: 16) }

    private static func text(_ point: LearningCurve.Point) -> String {
        let values = point.validation.map { "\($0.metric.rawValue)=\($0.value.map(text) ?? "")" }
        return (["\(point.epoch)", "\(point.step)", text(point.trainingLoss)] + values).joined(separator: " ")
    }

    // MARK: Reading

    /// - Parameters:
    ///   - plan: As it was trained by.
    ///   - digest: Of plan, seed and files now.
    /// - Throws: A checkpoint of something else; a damaged one.
    public init(_ bytes: [UInt8], plan: TrainingPlan, digest: String) throws(ModelError) {
        let (stored, metadata) = (try SafeTensors.read(bytes), try SafeTensors.metadata(bytes))
        guard metadata["checkpoint"] == Self.version, let steps = metadata["step"].flatMap(Int.init),
            let lossSum = metadata["loss-sum"].flatMap(Self.number),
            let lossRows = metadata["loss-rows"].flatMap(Int.init)
        else { throw Self.damaged }
        guard metadata["digest"] == digest else {
            throw .data(
                "the checkpoint is of another plan, seed or data",
                expected: "the same plan, files and seed; or begin anew, into another folder")
        }
        func parameters(_ prefix: String) -> Parameters? {
            let names = stored.names.filter { $0.hasPrefix(prefix) }
            guard !names.isEmpty else { return nil }
            let short = names.map { String($0.dropFirst(prefix.count)) }
            // In the model's own order.
            let order = plan.model.declarations.map(\.name).filter(short.contains)
            guard order.count == short.count else { return nil }
            return Parameters(names: order, tensors: order.compactMap { stored[prefix + $0] })
        }
        guard let weights = parameters("parameters/") else { throw Self.damaged }
        var optimizer = OptimizerState(plan.optimizer, plan.model)
        for (position, name) in weights.names.enumerated() {
            optimizer.firstMoments[position] = stored["first/" + name]?.values ?? []
            optimizer.secondMoments[position] = stored["second/" + name]?.values ?? []
        }
        optimizer.steps = steps
        state = try TrainingState(
            plan, weights, average: parameters("average/"), optimizer: optimizer, step: steps)
        if let text = metadata["best"] {
            let parts = text.split(separator: " ").map(String.init)
            guard parts.count == 2, let step = Int(parts[0]), let value = Self.number(parts[1]),
                let parameters = parameters("best/")
            else { throw Self.damaged }
            try plan.model.check(parameters)
            best = Selection.Choice(step: step, value: value, parameters: parameters)
        } else {
            best = nil
        }
        curve = try Self.curve(metadata["curve"] ?? "")
        clippingNorm = metadata["clipping-norm"].flatMap(Self.number)
        privateCurve = try Self.privateCurve(metadata["private-curve"] ?? "")
        (self.lossSum, self.lossRows) = (lossSum, lossRows)
    }

    private static let damaged = ModelError.data("the checkpoint", expected: "a whole file that training wrote")

    private static func number(_ text: String) -> Double? { UInt64(text, radix: 16).map { Double(bitPattern: $0) } }

    private static func privateCurve(_ text: String) throws(ModelError) -> PrivateCurve {
        var curve = PrivateCurve()
        for line in text.split(separator: "\n") {
            let parts = line.split(separator: " ").map(String.init)
            guard parts.count == 3, let step = Int(parts[0]), let clipping = number(parts[1]),
                let norm = number(parts[2])
            else { throw damaged }
            curve.points.append(PrivateCurve.Point(step: step, clippingNorm: clipping, gradientNorm: norm))
        }
        return curve
    }

    private static func curve(_ text: String) throws(ModelError) -> LearningCurve {
        var curve = LearningCurve()
        for line in text.split(separator: "\n") {
            let parts = line.split(separator: " ").map(String.init)
            guard parts.count >= 3, let epoch = Int(parts[0]), let step = Int(parts[1]), let loss = number(parts[2])
            else {
                throw damaged
            }
            var point = LearningCurve.Point(epoch: epoch, step: step, trainingLoss: loss, validation: [])
            for part in parts.dropFirst(3) {
                let pair = part.split(separator: "=", omittingEmptySubsequences: false).map(String.init)
                guard pair.count == 2, let metric = Metric(rawValue: pair[0]) else { throw damaged }
                point.validation.append((metric, number(pair[1])))
            }
            curve.points.append(point)
        }
        return curve
    }
}
