import Foundation
import Learning

/// `make study`: what training together costs and gains, on PneumoniaMNIST, by paired seeds.
///
/// The numbers of all ways (``StudyPlans``) were chosen on validation rows; test rows are read for results alone. Intervals are over what a seed draws
/// (division, order, beginning) and over noise: the images are the same for all.
struct Study {
    private let seeds: Int
    private let part: StudyRows.Part
    private let threads = min(2, ProcessInfo.processInfo.activeProcessorCount)
    private var results = StudyResults()

    /// - Parameter arguments: How many seeds; then `validation`, for results on validation rows.
    init(_ arguments: [String]) throws {
        let seeds = arguments.first.map { Int($0) ?? 0 } ?? 10
        guard StudyInterval.counts.contains(seeds), arguments.count <= 2,
            let part = StudyRows.Part(rawValue: arguments.dropFirst().first ?? "test")
        else {
            let counts = StudyInterval.counts
            throw BenchmarkError(
                reason:
                    "parley-bench study [SEEDS [validation]]: from \(counts.lowerBound) to \(counts.upperBound) seeds")
        }
        (self.seeds, self.part) = (seeds, part)
    }

    mutating func run() throws {
        let folder = Workplace.repository.appending(path: "../shared/data/pneumoniamnist").path
        guard FileManager.default.fileExists(atPath: "\(folder)/\(StudyRows.file)") else {
            return reportSkipped("study", "there is no \(folder)/\(StudyRows.file)")
        }
        try StudyPlans.check()
        let start = processorSeconds()
        let rows = try StudyRows(folder: folder, threads: threads)
        let promises = try StudyPlans.Private.epsilons.indices.map {
            try StudyPromise($0, rows: rows.train.count, parameters: rows.model.trainableCount)
        }
        for seed in 1...UInt64(seeds) {
            let even = try StudyHospitals(rows, seed: seed, isSkewed: false, threads: threads)
            let skewed = try StudyHospitals(rows, seed: seed, isSkewed: true, threads: threads)
            try masked(even)
            try plain(even, skewed)
            for promise in promises { try withNoise(promise, even, skewed) }
            try asynchronous(StudyAsynchronous(rows: rows, seed: seed, threads: threads))
            complain("study: seed \(seed) of \(seeds), \(Int(processorSeconds() - start)) s of CPU")
        }
        StudyReport(results: results, promises: promises, seeds: seeds, part: part.rawValue).write()
    }

    private func area(_ hospitals: StudyHospitals, _ weights: [Float]) throws -> Double {
        try hospitals.area(weights, on: part)
    }

    /// The mean of several models, each measured by itself.
    private func area(_ hospitals: StudyHospitals, _ models: [[Float]]) throws -> Double {
        try models.reduce(0) { $0 + (try area(hospitals, $1)) } / Double(models.count)
    }

    private mutating func plain(_ even: StudyHospitals, _ skewed: StudyHospitals) throws {
        results.add(.central, try area(even, even.central()))
        results.add(.skewed, try area(skewed, skewed.federated(isMasked: false).averaged))
        results.add(.alone, try area(even, even.alone()))
        results.add(.aloneSkewed, try area(skewed, skewed.alone()))
        let faster = StudyPlans.Plain.fasterRate
        results.add(.centralFaster, try area(even, even.central(rate: faster)))
        results.add(.federatedFaster, try area(even, even.federated(isMasked: false, rate: faster).averaged))
    }

    /// The same updates in the clear, masked, and in floating point.
    private mutating func masked(_ hospitals: StudyHospitals) throws {
        let plain = try hospitals.federated(isMasked: false)
        let masked = try hospitals.federated(isMasked: true)
        let exact = try hospitals.federatedInFloatingPoint()
        let areas = try [plain, masked, exact].map { try area(hospitals, $0.averaged) }
        results.add(.federated, areas[0])
        results.add(.masked, areas[1])
        results.masks.take(masked, areas[1], beside: plain, areas[0])
        results.fixedPoint.take(masked, areas[1], beside: exact, areas[2])
    }

    private mutating func withNoise(
        _ promise: StudyPromise, _ even: StudyHospitals, _ skewed: StudyHospitals
    ) throws {
        let epsilon = promise.epsilon
        results.add(.noisyCentral(epsilon), try area(even, even.central(promise)))
        results.add(.noisyCentralOfAll(epsilon), try area(even, even.central(promise, noise: promise.allOverHonest)))
        results.add(.together(epsilon), try area(even, even.together(promise)))
        results.add(.localNoise(epsilon), try area(even, even.withLocalNoise(promise)))
        results.add(.noisyAlone(epsilon), try area(even, even.alone(promise)))
        // Where there is most noise alone: it takes as long as the rest.
        guard epsilon == StudyPlans.Private.epsilons.min() else { return }
        results.add(
            .togetherAtLocalRate(epsilon), try area(even, even.together(promise, rate: promise.localRate)))
        results.add(.localNoiseSkewed(epsilon), try area(skewed, skewed.withLocalNoise(promise)))
    }

    private mutating func asynchronous(_ devices: StudyAsynchronous) throws {
        for way in StudyAsynchronous.Way.allCases { results.seconds[way, default: []].append(try devices.seconds(way)) }
    }
}
