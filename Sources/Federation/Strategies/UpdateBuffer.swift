#if canImport(Darwin)
    import Darwin
#elseif canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// FedBuff's buffer (Nguyen et al. 2022): updates of models of different ages, until there are enough for a step.
public struct UpdateBuffer: Sendable, Hashable {
    /// How many updates make a step.
    public let capacity: Int
    /// The power of 1 / (1 + staleness).
    public let exponent: Double
    /// How many it holds.
    public private(set) var held = 0
    private var sums: [Double]
    private var totalWeight = 0.0

    /// An empty one. Throws unless the strategy is `fedBuff`.
    ///
    /// - Parameter parameters: The model's number of parameters: the length of an update.
    public init(_ strategy: Strategy, parameters: Int) throws(StrategyError) {
        try strategy.validate()
        guard case .fedBuff(_, let buffer, let exponent) = strategy else {
            throw .strategy(strategy.kind, expected: "fedBuff, whose updates wait in a buffer")
        }
        guard parameters > 0 else { throw .parameter("parameters", expected: "at least 1") }
        capacity = buffer
        self.exponent = exponent
        sums = [Double](repeating: 0, count: parameters)
    }

    /// 1 / (1 + staleness)^exponent.
    ///
    /// - Parameter staleness: How many steps the server took since it handed out the model that the update is of; 0 or
    /// more.
    public static func factor(staleness: Int, exponent: Double) -> Double {
        pow(1 + Double(staleness), -exponent)
    }

    /// Whether there are enough for a step.
    public var isFull: Bool { held == capacity }

    /// Adds weight x 1 / (1 + staleness)^exponent x update. In errors a participant is the number of updates held
    /// before.
    ///
    /// - Parameter staleness: How many steps the server took since the model that the update is of:
    /// ``ServerState/step`` now, minus what it was then.
    public mutating func add(_ update: [Float], staleness: Int, weight: Double = 1) throws(StrategyError) {
        guard !isFull else { throw .buffer(held: held, capacity: capacity) }
        guard staleness >= 0 else { throw .parameter("staleness", expected: "a number of steps, 0 or more") }
        guard WeightedSum.weights.contains(weight) else { throw .weight(participant: held) }
        guard update.count == sums.count else {
            throw .updateLength(participant: held, found: update.count, expected: sums.count)
        }
        if let position = update.firstNonFinite { throw .nonFiniteUpdate(participant: held, position: position) }
        let scale: Double = weight * Self.factor(staleness: staleness, exponent: exponent)
        for index in sums.indices { sums[index] += scale * Double(update[index]) }
        totalWeight += weight
        held += 1
    }

    /// The sum over that of the weights alone, as in the paper: where all are stale, the step is shorter. The buffer is
    /// empty afterwards.
    public mutating func take() throws(StrategyError) -> [Float] {
        guard isFull else { throw .buffer(held: held, capacity: capacity) }
        let total = totalWeight
        let mean = sums.map { Float($0 / total) }
        for index in sums.indices { sums[index] = 0 }
        (totalWeight, held) = (0, 0)
        return mean
    }
}

extension UpdateBuffer: Codable {
    private static let keys = ["capacity", "exponent", "held", "sums", "totalWeight"]

    /// Reads it strictly: to the bit what was written.
    public init(from decoder: any Decoder) throws {
        let object = try StrictKeys(decoder)
        try object.only(Self.keys)
        let (buffer, power): (Int, Double) = (try object.value("capacity"), try object.value("exponent"))
        do { try Strategy.fedBuff(rate: 1, buffer: buffer, exponent: power).validate() } catch {
            throw object.refusal(error.description)
        }
        (capacity, exponent) = (buffer, power)
        held = try object.value("held")
        sums = try object.value("sums")
        totalWeight = try object.value("totalWeight")
        guard (0...capacity).contains(held) else { throw object.refusal("held: expected from 0 to \(capacity)") }
        guard !sums.isEmpty, sums.allSatisfy(\.isFinite) else {
            throw object.refusal("sums: expected finite numbers, at least one")
        }
        guard totalWeight.isFinite, held == 0 ? totalWeight == 0 : totalWeight > 0 else {
            throw object.refusal("totalWeight: expected the weight of the \(held) updates held")
        }
    }

    /// Writes all that it holds.
    public func encode(to encoder: any Encoder) throws {
        var object = encoder.container(keyedBy: AnyKey.self)
        try object.encode(capacity, forKey: AnyKey("capacity"))
        try object.encode(exponent, forKey: AnyKey("exponent"))
        try object.encode(held, forKey: AnyKey("held"))
        try object.encode(sums, forKey: AnyKey("sums"))
        try object.encode(totalWeight, forKey: AnyKey("totalWeight"))
    }
}
