/// How a model came about.
enum StudyWay: Hashable {
    /// Without noise: in one place; FedAvg in the clear, masked, and among hospitals of different labels; each hospital alone.
    case central, federated, masked, skewed, alone, aloneSkewed
    /// With the rate that is best on validation rows for either.
    case centralFaster, federatedFaster
    /// In one place, with the noise that honest hospitals' shares come to, and with that of all shares.
    case noisyCentral(Double)
    case noisyCentralOfAll(Double)
    /// With distributed noise; with the rate of hospitals that add noise of their own.
    case together(Double)
    case togetherAtLocalRate(Double)
    /// Each hospital adds all of its noise, and models are averaged; each hospital alone.
    case localNoise(Double)
    case localNoiseSkewed(Double)
    case noisyAlone(Double)

    /// For programs.
    var name: String {
        switch self {
        case .central: "central"
        case .federated: "federated"
        case .masked: "masked"
        case .skewed: "federated_skewed"
        case .alone: "alone"
        case .aloneSkewed: "alone_skewed"
        case .centralFaster: "central_faster"
        case .federatedFaster: "federated_faster"
        case .noisyCentral(let epsilon): "central_epsilon_\(Int(epsilon))"
        case .noisyCentralOfAll(let epsilon): "central_three_shares_epsilon_\(Int(epsilon))"
        case .together(let epsilon): "private_federated_epsilon_\(Int(epsilon))"
        case .togetherAtLocalRate(let epsilon): "private_federated_at_local_rate_epsilon_\(Int(epsilon))"
        case .localNoise(let epsilon): "local_noise_epsilon_\(Int(epsilon))"
        case .localNoiseSkewed(let epsilon): "local_noise_skewed_epsilon_\(Int(epsilon))"
        case .noisyAlone(let epsilon): "alone_epsilon_\(Int(epsilon))"
        }
    }

    /// For people.
    var words: String {
        switch self {
        case .central: "in one place"
        case .federated: "FedAvg"
        case .masked: "FedAvg, masked"
        case .skewed: "FedAvg, label skew"
        case .alone: "each hospital alone (mean of three)"
        case .aloneSkewed: "each hospital alone (mean of three), label skew"
        case .centralFaster: "in one place, rate \(StudyPlans.Plain.fasterRate)"
        case .federatedFaster: "FedAvg, rate \(StudyPlans.Plain.fasterRate)"
        case .noisyCentral(let epsilon): "epsilon \(Int(epsilon)): DP-SGD in one place, noise of 2 shares"
        case .noisyCentralOfAll(let epsilon): "epsilon \(Int(epsilon)): DP-SGD in one place, noise of 3 shares"
        case .together(let epsilon): "epsilon \(Int(epsilon)): together, distributed noise, h = 2 of 3"
        case .togetherAtLocalRate(let epsilon): "epsilon \(Int(epsilon)): together, with the rate of local noise"
        case .localNoise(let epsilon): "epsilon \(Int(epsilon)): local noise, averaged"
        case .localNoiseSkewed(let epsilon): "epsilon \(Int(epsilon)): local noise, averaged, label skew"
        case .noisyAlone(let epsilon): "epsilon \(Int(epsilon)): each hospital alone (mean of three)"
        }
    }
}

/// Areas under the ROC curve of all ways, one a seed, in the order of the seeds.
struct StudyResults {
    /// In the order in which they came.
    private(set) var ways: [StudyWay] = []
    private var areas: [StudyWay: [Double]] = [:]
    /// What masks change.
    var masks = Largest()
    /// What masks and fixed point change, beside floating point.
    var fixedPoint = Largest()
    /// Simulated seconds until the model is good, one a seed.
    var seconds: [StudyAsynchronous.Way: [Double]] = [:]

    subscript(way: StudyWay) -> [Double] { areas[way] ?? [] }

    mutating func add(_ way: StudyWay, _ area: Double) {
        if areas[way] == nil { ways.append(way) }
        areas[way, default: []].append(area)
    }

    /// The largest differences of pairs of models.
    struct Largest {
        private(set) var (weight, area) = (0.0, 0.0)
        /// Entries of updates that lay beyond the plan's range.
        private(set) var cutEntries = 0

        mutating func take(
            _ model: StudyHospitals.Trained, _ area: Double, beside other: StudyHospitals.Trained, _ otherArea: Double
        ) {
            for (one, two) in [(model.last, other.last), (model.averaged, other.averaged)] {
                weight = zip(one, two).reduce(weight) { max($0, Double(abs($1.0 - $1.1))) }
            }
            self.area = max(self.area, abs(area - otherArea))
            cutEntries += model.cutEntries + other.cutEntries
        }
    }
}
