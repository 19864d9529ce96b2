public import DifferentialPrivacy

/// Noise at a trusted server, for devices: DP-FedAvg with a fixed denominator (McMahan, Ramage, Talwar and Zhang 2018, "Learning differentially private
/// recurrent language models"), without amplification by sampling: the coordinator admits whoever comes, and says so.
///
/// Each device clips its update to the L2 norm C and rounds each entry towards zero on the plan's grid, so that the integers' squared norm is at most B =
/// floor((C / step)^2). The coordinator refuses a report of a larger norm: a device that lies moves the sum by no more than one that does not. To a cycle's sum
/// it adds exact discrete Gaussian noise of sigma = multiplier x C / step an entry, and divides by the plan's least number of reports, whatever their number was.
///
/// **Theorem.** Let an adversary choose, from all that was published before, which devices come, when and in which order, which messages are lost, and what all
/// devices but one say. Let that one follow the protocol. Compare a run with one in which each of its reports is zeros (zero-out neighbours: Kairouz et al. 2021,
/// "Practical and private (deep) learning without sampling or shuffling"). All models, and all that the coordinator replies, are rho-zCDP with
/// rho = k C^2 / (2 sigma^2) (C in steps of the grid), where k is the most participations of a device (``DevicePlan/participations``): the rest between
/// two admissions bounds it, of whoever comes. Where its reports are replaced by any others of a norm up to C, the change is at most 2 C, and rho four times as much.
///
/// *Proof.* Given what was published before, who is admitted, whose report is counted, when a cycle ends and whether it is void follow from arrivals and from the
/// others' messages: a report of zeros passes the same checks as the one that it stands for. So both runs have the same schedule, and a cycle's two sums differ by
/// a vector of squared norm at most B where the report is counted, and not at all elsewhere. The noise makes that B / (2 sigma^2)-zCDP (Canonne, Kamath and Steinke
/// 2020, theorem 4, entry by entry); division by a public number and the step are post-processing; a void cycle's sum is discarded without a look. Cycles compose
/// adaptively (Bun and Steinke 2016, lemma 2.3), and also where the adversary chooses in which of them the device is, since the sum of their rhos never exceeds
/// that of k (Feldman and Zrnic 2021; Whitehouse et al. 2023: a filter on zCDP's rhos costs no more than composition).
///
/// **What is not covered.** That a device takes part. Without it another would have had its place, and would have been absent later: adding or removing a device
/// moves others from cycle to cycle, which no bound on its reports covers. The schedule is shown as it is, to whoever asks: whether a cycle was void (fewer than
/// the least reports or devices), whether it ended before its time (it had the most reports), and whether places were free. The number of reports shows no
/// further: a cycle ends at its maximum or at its deadline and at no other time, and the denominator is the plan's. Who controls all arrivals but one learns from that
/// whether the one came; when a device reports, and that it declines for want of rows, are such arrivals. The coordinator sees every update.
public struct DevicePrivacy: Sendable, Hashable, Codable {
    /// C: the largest L2 norm of a device's update.
    public var clippingNorm: Double
    /// Sigma over C.
    public var noiseMultiplier: Double

    /// Numbers as they come; a plan checks them.
    public init(clippingNorm: Double, noiseMultiplier: Double) {
        (self.clippingNorm, self.noiseMultiplier) = (clippingNorm, noiseMultiplier)
    }

    /// What a device's reports are compared with.
    public enum Neighbours: String, Sendable, Hashable, Codable, CaseIterable {
        /// Zeros in their place.
        case zeros
        /// Any others in their place.
        case others
    }

    func check(_ grid: UpdateGrid, parameterCount: Int) throws(FederationError) {
        let steps = clippingNorm / grid.step
        let least = max(8 * Double(parameterCount).squareRoot(), 64)
        guard clippingNorm <= grid.range, steps >= least, steps <= 0x1p31 else {
            throw .plan(
                "a clipping norm of \(clippingNorm) on a grid of step \(grid.step)",
                expected:
                    "at most the grid's range, and from \(least) to 2^31 steps: rounding takes up to a step an entry")
        }
        do { _ = try noise(grid) } catch { throw .plan("the noise multiplier", expected: "\(error)") }
    }

    /// B: the largest squared norm of a report, in steps of the grid; a number that a Double is too.
    func squaredBound(_ grid: UpdateGrid) -> Int64 {
        // The step is a power of two: exact.
        let steps = clippingNorm / grid.step
        let square = steps * steps
        // The rounded product may be above the exact one; B may not.
        let isAbove = (-square).addingProduct(steps, steps) < 0
        return Int64((isAbove ? square.nextDown : square).rounded(.down))
    }

    /// The noise of an entry of a cycle's sum.
    func noise(_ grid: UpdateGrid) throws(MechanismError) -> DiscreteGaussian {
        try DiscreteGaussian(sigma: noiseMultiplier * (clippingNorm / grid.step))
    }

    /// A device's update, clipped, as integers of the grid.
    ///
    /// - Throws: `notANumber` with the first entry that is none.
    func integers(_ update: [Float], _ grid: UpdateGrid) throws(FederationError) -> [Int64] {
        var square = 0.0
        for index in update.indices {
            guard update[index].isFinite else { throw .notANumber(entry: index) }
            // Of Floats: no sum of 2^32 squares overflows.
            square += Double(update[index]) * Double(update[index])
        }
        let norm = square.squareRoot()
        let bound = squaredBound(grid)
        var factor = min(1, clippingNorm / norm)
        // Rounding is towards zero, so that only the last bits of the norm and the factor can be too much.
        var less = 0x1p-50
        while true {
            let scale = factor / grid.step
            let integers = Packed(update.map { Int64(Double($0) * scale) })
            if integers.isWithin(squaredNorm: bound) { return integers.values }
            factor *= max(0, 1 - less)
            less *= 4
        }
    }
}

extension DevicePlan {
    /// What happens in all cycles to one device.
    ///
    /// With noise at the server it is of all that the device reports; the coordinator's ledger is charged with it. With distributed noise it is of one person's rows at the
    /// device (``SharedNoise``), in each cycle to which the device may be admitted: a void one may have opened its sum. The device's own ledger is charged.
    ///
    /// - Parameter neighbours: What its reports are compared with; with distributed noise nothing but a person who is there or not.
    /// - Throws: `plan`, also without noise.
    public func event(_ neighbours: DevicePrivacy.Neighbours = .zeros) throws(FederationError) -> PrivacyEvent {
        try check()
        if case .distributedNoise = aggregation, neighbours == .zeros {
            return .repeated(try cohortPlan(0, participants: leastWorkers).event(), times: admissions)
        }
        guard case .noisy(let privacy) = aggregation, let grid else {
            throw .plan("the noise", expected: "a plan with noise")
        }
        do {
            let noise = try privacy.noise(grid)
            let square = Double(privacy.squaredBound(grid)) * (neighbours == .zeros ? 1 : 4)
            return .repeated(noise.event(sensitivitySquared: square), times: participations)
        } catch { throw .plan("the noise", expected: "\(error)") }
    }
}

extension Packed<Int64> {
    /// Whether the sum of their squares is at most a bound, which is from 1 to 2^62: exact, whatever they are.
    func isWithin(squaredNorm bound: Int64) -> Bool {
        let limit = UInt64(bound)
        // Each square is below 2^63 behind this, and at most the bound where its root is: the largest integer not above it.
        var root = Int64(Double(bound).squareRoot())
        while root * root > bound { root -= 1 }
        while (root + 1) * (root + 1) <= bound { root += 1 }
        guard isWithin(root) else { return false }
        // So many squares beside a sum within the bound do not overflow: a loop of vectors.
        let chunk = Int(Swift.min(4_096, (1 << 63) / limit - 1))
        return withValues { values in
            var sum: UInt64 = 0
            var start = 0
            while start < values.count {
                let end = Swift.min(start + chunk, values.count)
                for value in values[start..<end] { sum &+= UInt64(bitPattern: value &* value) }
                guard sum <= limit else { return false }
                start = end
            }
            return true
        }
    }
}
