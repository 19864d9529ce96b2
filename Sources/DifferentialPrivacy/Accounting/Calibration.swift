#if canImport(Darwin)
    import Darwin
#elseif canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// The least noise for a privacy that is wanted, by any accountant.
public enum Calibration {
    /// The least noise of an event for which the accountant proves (epsilon, delta), to a relative `tolerance`: at the
    /// result the proof holds, at the result divided by 1 + tolerance it does not.
    ///
    /// - Parameters:
    ///   - epsilon, delta: what is wanted; delta may be 0 where the accountant proves a finite epsilon at 0.
    ///   - tolerance: relative, of the noise.
    ///   - start: about where the result is expected; a good guess saves evaluations.
    ///   - accountant: one that holds what happens anyway; mostly nothing.
    ///   - event: all that happens, for noise of that size (a noise multiplier, a scale). More noise must not cost more.
    ///
    /// Throws what the accountant throws for noise of 1e9 and, as `.parameter` of what was wanted, where no noise from 1e-6
    /// to 1e9 is enough, or none is too little. An event that the accountant refuses for less noise alone proves nothing.
    public static func leastNoise<Counting: Accountant>(
        epsilon: Double, delta: Double, tolerance: Double = 1e-6, startingAt start: Double = 1,
        by accountant: Counting, event: (Double) -> PrivacyEvent
    ) throws(MechanismError) -> Double {
        guard epsilon > 0 && epsilon.isFinite else { throw .parameter("epsilon", expected: "a positive finite number") }
        guard delta >= 0 && delta < 1 else { throw .parameter("delta", expected: "a number from 0 to below 1") }
        guard tolerance >= 1e-12 && tolerance < 1 else { throw .parameter("tolerance", expected: "from 1e-12 to 1") }
        guard start >= 1e-6 && start <= 1e9 else { throw .parameter("start", expected: "from 1e-6 to 1e9") }
        var most = accountant
        try most.compose(event(1e9), times: 1)
        /// ln(epsilon of that noise / epsilon): positive where there is too little noise.
        func excess(_ x: Double) throws(MechanismError) -> Double {
            var counting = accountant
            let reached: Double
            do throws(MechanismError) {
                try counting.compose(event(exp(x)), times: 1)
                reached = try counting.epsilon(delta: delta).upper
            } catch {
                guard case .unsupportedEvent = error else { throw error }
                return .infinity
            }
            return reached <= epsilon ? min(-0.0, log(reached / epsilon)) : max(1e-300, log(reached / epsilon))
        }
        var bracket = try bracket(around: log(start), excess)
        let width = log1p(tolerance)
        while bracket.high.x - bracket.low.x > width {
            let x = bracket.next(width: width)
            guard x > bracket.low.x && x < bracket.high.x else { break }
            bracket.take(x, try excess(x))
        }
        // The same call that was checked, hence the same number.
        return exp(bracket.high.x)
    }

    /// A place where there is too little noise and one where there is enough.
    private static func bracket(
        around start: Double, _ excess: (Double) throws(MechanismError) -> Double
    ) throws(MechanismError) -> Bracket {
        var here = (x: start, y: try excess(start))
        let direction: Double = here.y > 0 ? 1 : -1
        var reach = 1.1
        while true {
            // Where epsilon falls like 1 / noise or faster, as it mostly does, this is just beyond the root.
            let step = here.y.isFinite ? min(max(abs(here.y) * reach, 1e-3 * reach), 1.5) : 0.5
            let x = here.x + direction * step
            guard x > log(1e-7), x < log(1e10) else { throw unbracketed(here.y) }
            let there = (x: x, y: try excess(x))
            if (there.y > 0) != (here.y > 0) {
                return direction > 0 ? Bracket(low: here, high: there) : Bracket(low: there, high: here)
            }
            here = there
            reach *= 1.6
        }
    }
}

extension Calibration {
    private static func unbracketed(_ excess: Double) -> MechanismError {
        if excess == .infinity {
            return .parameter("delta", expected: "a value at which some noise is proved to have a finite epsilon")
        }
        return .parameter(
            "epsilon",
            expected: excess > 0
                ? "a value to which some noise up to 1e9 is proved to keep"
                : "a smaller value: noise of 1e-6 keeps to it already")
    }
}

/// Too little noise at `low`, enough at `high`: narrowed by the Illinois method, which follows the near-straight line
/// that ln(epsilon) is as a function of ln(noise).
private struct Bracket {
    var low: (x: Double, y: Double)
    var high: (x: Double, y: Double)
    private var lastWasLow: Bool?

    init(low: (x: Double, y: Double), high: (x: Double, y: Double)) {
        self.low = low
        self.high = high
    }

    /// Beyond the estimated root by a part of the width that is wanted, so that the far end comes near.
    func next(width: Double) -> Double {
        let span = high.x - low.x
        let slope = low.y - high.y
        guard slope.isFinite && slope > 0 && low.y.isFinite && high.y.isFinite else { return low.x + span / 2 }
        let root = low.x + span * (low.y / slope)
        let nudged = root - low.x < high.x - root ? root + width / 3 : root - width / 3
        return min(max(nudged, low.x + width / 3), high.x - width / 3)
    }

    mutating func take(_ x: Double, _ y: Double) {
        if y > 0 {
            low = (x, y)
            if lastWasLow == true { high.y /= 2 }
            lastWasLow = true
        } else {
            high = (x, y)
            if lastWasLow == false { low.y /= 2 }
            lastWasLow = false
        }
    }
}
