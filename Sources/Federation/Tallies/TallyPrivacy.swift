public import DifferentialPrivacy

/// What the noise of a tally promises, as its plan says it.
///
/// Each aggregator adds exact discrete Gaussian noise to each entry of its sum, **all** that the promise needs, since the other one may be the attacker, who knows its own noise.
///
/// **Theorem.** Let one aggregator and one device follow the protocol, and let an adversary be everybody else: the other aggregator, the collector and all other devices, who see and choose, from all that they saw before,
/// what they send, which reports reach the honest aggregator, and when it collects. Compare a run with one in which the device's value is **another one in its place** (replace-one neighbours). What the adversary sees is rho-zCDP
/// with rho = S / (2 sigma^2), but for what breaks Prio3 or the encryption: S is the largest squared L2 distance of two measurements (1 for a count, m^2 for a sum of 0 to m, 2 for a histogram, n m^2 for a vector of n).
///
/// *Proof.* A valid report is counted or not whatever its value is: signature, nonce, sizes and lengths do not depend on it, and that the proof of a valid measurement verifies depends on it with no more than Prio3's error (a dishonest aggregator
/// can make one fail, as it can leave one out). Up to the release, what the adversary has of the value are one share, verifier shares and ciphertexts, which are simulated without it (Davis, Patton, Rosulek and Schoppmann 2023; the client draws the nonce,
/// and the keys with which proofs are queried are fixed by the plan). The honest aggregator's share of the sum is, given the other's shares, the sum of the measurements that it accepted less a number that the adversary knows, plus its noise. It is given out once, with one
/// draw of noise: one vector of integers that the value moves by S at most in squared norm (Canonne, Kamath and Steinke 2020, theorem 4, entry by entry). A device has one report in a batch, and there is one batch.
///
/// **Noise is drawn by key.** The words are those of `KeyedRandom`, under HKDF-SHA256 of the aggregator's private keys, the task, its role and the devices and nonces of the reports that are in the sum (``TallyKey``). For each such set they cannot be told from fresh, independent words by who lacks the keys, so that
/// the promise is what it was, against who is bounded in time; and one set has one sum, though the folder of an aggregator is lost or put back, and the batch collected again: the reports of devices that follow the protocol are the same then, and those of others differ by what others know. **What remains**: a put-back
/// state that goes on to *another* set (one device more, or less, may be the attacker's) gives a sum with noise of its own. Of k different sets with a device's report in them the loss is at most k rho. An aggregator's owner avoids it: a tally whose folder was lost, or put back from a copy, is not served on.
///
/// **What is not covered.** That a device reports, when, and how many do: the number of counted reports is public. A device that has several keys, where nobody enrols devices. Where several tasks are asked of one device their rhos add up. And the sum may be wrong: an aggregator may
/// change its share unseen; who is honest for that are both.
///
/// Compared with a run in which the report is counted as zeros (``DevicePrivacy``'s relation), rho is the same, and half as much for a histogram, whose report moves one bucket then and not two. A report of zeros is none that a histogram's client could send, so the promise is of what can be.
public struct TallyPrivacy: Sendable, Hashable, Codable {
    /// How much is promised.
    public enum Promise: Sendable, Hashable, Codable {
        /// Zero-concentrated differential privacy.
        case rho(Double)
        /// The least epsilon that is proved at ``TallyPrivacy/delta``.
        case epsilon(Double)
    }

    /// How much.
    public var promise: Promise
    /// At which epsilon is said, and sought.
    public var delta: Double

    /// Numbers as they come; a plan checks them.
    public init(_ promise: Promise, delta: Double = 1e-6) { (self.promise, self.delta) = (promise, delta) }
}

extension TallyPlan.Measure {
    /// S: the largest squared L2 distance of two measurements, rounded up.
    public var sensitivitySquared: Double {
        func square(_ maximum: UInt64) -> Double {
            // Exact up to 2^26; the next numbers cover the roundings above.
            let number = Double(maximum)
            return maximum <= 1 << 26 ? number * number : (number.nextUp * number.nextUp).nextUp
        }
        switch self {
        case .count: return 1
        case .sum(let maximum): return square(maximum)
        case .histogram: return 2
        case .vector(let length, let maximum):
            let product = Double(length) * square(maximum)
            return product <= 0x1p53 ? product : product.nextUp
        }
    }
}

extension TallyPlan {
    /// The noise that each aggregator adds to each entry of its sum.
    ///
    /// - Throws: `plan`.
    public func noise() throws(FederationError) -> DiscreteGaussian {
        let square = measure.sensitivitySquared
        guard privacy.delta > 0, privacy.delta < 1 else { throw .plan("delta", expected: "above 0 and below 1") }
        do throws(MechanismError) {
            switch privacy.promise {
            case .rho(let rho):
                guard rho >= 1e-9, rho <= 1e6 else { throw .parameter("rho", expected: "from 1e-9 to 1e6") }
                try checkScale((square / (2 * rho)).squareRoot())
                return try DiscreteGaussian(
                    sensitivitySquared: square, loss: PrivacyLoss(roundingDownRho: rho))
            case .epsilon(let epsilon):
                guard epsilon >= 1e-3, epsilon <= 1e3 else {
                    throw .parameter("epsilon", expected: "from 0.001 to 1000")
                }
                let multiplier = try Calibration.leastNoise(
                    epsilon: epsilon, delta: privacy.delta, by: RenyiAccountant(neighbours: .replaceOne)
                ) { .discreteGaussian(sensitivitySquared: 1, sigma: $0) }
                // Rounded up: no rounding of the product costs more than was sought.
                let sigma = (multiplier * square.squareRoot().nextUp).nextUp
                try checkScale(sigma)
                return try DiscreteGaussian(sigma: sigma)
            }
        } catch {
            guard case .parameter(let name, let expected) = error else {
                throw .plan("the noise", expected: "\(error)")
            }
            throw .plan("the noise's \(name)", expected: expected)
        }
    }

    /// What is drawn at most is in `DiscreteGaussian`'s bounds; here in words that say what would be right in a plan.
    private func checkScale(_ sigma: Double) throws(MechanismError) {
        guard sigma > 0x1p40 else { return }
        throw .parameter(
            "sigma, about 2^\(sigma.exponent) for numbers as large as the measure's",
            expected: "at most 2^40: a smaller maximum or a shorter vector, or a larger epsilon or rho")
    }

    /// What happens to one device's value, against everybody but one aggregator.
    ///
    /// - Throws: `plan`.
    public func event() throws(FederationError) -> PrivacyEvent {
        try noise().event(sensitivitySquared: measure.sensitivitySquared)
    }

    /// The epsilon that is proved at the plan's delta.
    ///
    /// - Throws: `plan`.
    public func epsilon() throws(FederationError) -> Double {
        let event = try event()
        do throws(MechanismError) {
            var accountant = try RenyiAccountant(neighbours: .replaceOne)
            try accountant.compose(event)
            return try accountant.epsilon(delta: privacy.delta).upper
        } catch { throw .plan("the noise", expected: "\(error)") }
    }

    /// How far an entry of the result is from the exact sum at most, with that probability: both aggregators' noise is in it.
    ///
    /// - Throws: `plan`.
    public func halfWidth(confidence: Double = 0.95) throws(FederationError) -> Double {
        let error = IntegerError(try noise(), confidence: confidence)
        return ErrorModel([error, error]).halfWidth(LinearForm(number: 0) + LinearForm(number: 1))
    }
}
