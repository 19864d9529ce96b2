/// A participant's control variate in SCAFFOLD (Karimireddy et al. 2020): what it keeps between rounds, a guess at its
/// own gradient. It tells of private data, and stays with the participant.
///
/// With option II the change that is sent is -c - update / (steps x rate), c being the server's: a gradient, in size
/// 1 / (steps x rate) times the update. In a bound on the norm of both together the update has that much less room,
/// which is why `scaffold` is refused where noise is added (``Strategy/admits(_:)``).
public struct ControlVariate: Sendable, Hashable {
    /// One number a parameter, in the gradient's unit.
    public private(set) var values: [Float]

    /// Zeros, before the first round.
    public init(parameters: Int) { values = [Float](repeating: 0, count: max(0, parameters)) }

    /// As it was kept; zeros where nothing was.
    init(_ kept: [Float], parameters: Int) {
        values = kept.isEmpty ? [Float](repeating: 0, count: max(0, parameters)) : kept
    }

    /// Takes what a round's local training shows: own := own - server + (before - after) / (steps x rate), option II.
    ///
    /// - Parameters:
    ///   - server: The server's control variate, as it came with the round.
    ///   - before: The weights that the round began with, x.
    ///   - after: Those that local training ended with, y.
    ///   - steps: How many local steps were taken, K.
    ///   - rate: Their learning rate, eta: plain gradient descent, as momentum would make steps longer.
    /// - Returns: The vector to send: the update, after - before, then the change of the control variate.
    public mutating func renew(
        server: [Float], before: [Float], after: [Float], steps: Int, rate: Double
    ) throws(StrategyError) -> [Float] {
        let vectors = [("server's control variate", server), ("weights before", before), ("weights after", after)]
        for (name, vector) in vectors {
            guard vector.count == values.count else {
                throw .length(of: name, found: vector.count, expected: values.count)
            }
            if let position = vector.firstNonFinite { throw .nonFinite(name, position: position) }
        }
        guard steps > 0 else { throw .parameter("steps", expected: "at least 1") }
        guard rate > 0 && rate.isFinite else { throw .parameter("rate", expected: "a number above 0") }
        let length = Double(steps) * rate
        var (renewed, sent) = (values, [Float](repeating: 0, count: 2 * values.count))
        for index in values.indices {
            let update: Double = Double(after[index]) - Double(before[index])
            let own: Double = Double(values[index]) - Double(server[index]) - update / length
            renewed[index] = Float(own)
            sent[index] = Float(update)
            sent[values.count + index] = Float(Double(renewed[index]) - Double(values[index]))
        }
        if let position = renewed.firstNonFinite { throw .nonFinite("new control variate", position: position) }
        if let position = sent.firstNonFinite { throw .nonFinite("vector to send", position: position) }
        values = renewed
        return sent
    }
}

extension ControlVariate: Codable {
    /// Reads it strictly: `values` alone, finite numbers.
    public init(from decoder: any Decoder) throws {
        let object = try StrictKeys(decoder)
        try object.only(["values"])
        values = try object.value("values")
        if let position = values.firstNonFinite {
            throw object.refusal("entry \(position) of values: expected a finite number")
        }
    }

    /// Writes the values.
    public func encode(to encoder: any Encoder) throws {
        var object = encoder.container(keyedBy: AnyKey.self)
        try object.encode(values, forKey: AnyKey("values"))
    }
}
