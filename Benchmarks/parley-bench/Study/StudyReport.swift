import Foundation

/// What the study says: JSON lines for programs, and a table on the standard error for people.
struct StudyReport {
    let results: StudyResults
    let promises: [StudyPromise]
    let seeds: Int
    let part: String

    /// A difference of two ways, paired by seed.
    private struct Comparison {
        var name: String
        var way: StudyWay
        var reference: StudyWay
        /// The least difference that is asked for; nil: the study only looks.
        var least: Double?
    }

    private var comparisons: [Comparison] {
        var list = [
            Comparison(name: "federated_minus_central", way: .federated, reference: .central, least: -0.01),
            Comparison(name: "federated_skewed_minus_central", way: .skewed, reference: .central, least: -0.01),
            Comparison(
                name: "federated_minus_central_faster", way: .federatedFaster, reference: .centralFaster, least: -0.01),
            Comparison(name: "masked_minus_federated", way: .masked, reference: .federated, least: -1e-4),
            Comparison(name: "alone_minus_federated", way: .alone, reference: .federated),
            Comparison(name: "alone_skewed_minus_federated_skewed", way: .aloneSkewed, reference: .skewed),
        ]
        for epsilon in promises.map(\.epsilon) {
            let (together, central) = (StudyWay.together(epsilon), StudyWay.noisyCentral(epsilon))
            let sameRate = StudyWay.togetherAtLocalRate(epsilon)
            func comparison(_ name: String, _ way: StudyWay, _ reference: StudyWay, least: Double? = nil) {
                let name = "\(name)_epsilon_\(Int(epsilon))"
                list.append(Comparison(name: name, way: way, reference: reference, least: least))
            }
            comparison("private_federated_minus_central", together, central, least: -0.01)
            comparison("three_shares_minus_two", .noisyCentralOfAll(epsilon), central)
            comparison("private_federated_minus_three_shares", together, .noisyCentralOfAll(epsilon))
            comparison("local_noise_minus_private_federated", .localNoise(epsilon), together)
            comparison("local_noise_minus_private_federated_same_rate", .localNoise(epsilon), sameRate)
            comparison("local_noise_skewed_minus_private_federated_same_rate", .localNoiseSkewed(epsilon), sameRate)
            comparison("alone_minus_private_federated", .noisyAlone(epsilon), together)
            comparison("private_federated_minus_federated", together, .federated)
        }
        // Some ways are run at one epsilon alone.
        return list.filter { !results[$0.way].isEmpty && !results[$0.reference].isEmpty }
    }

    func write() {
        complain("\nROC AUC on \(part) rows, \(seeds) seeds: mean, 95 % interval of the mean, least, most")
        for way in results.ways {
            let (values, interval) = (results[way], StudyInterval(results[way]))
            report("study.auc.\(way.name)", interval.figures)
            row(way.words, [interval.mean, interval.low, interval.high, values.min() ?? .nan, values.max() ?? .nan])
        }
        complain("\nDifferences, paired by seed: mean, 95 % interval")
        for comparison in comparisons { write(comparison) }
        writeMasks()
        writeNoise()
        writeSeconds()
    }

    private func write(_ comparison: Comparison) {
        let difference = StudyInterval(results[comparison.way], minus: results[comparison.reference])
        var (figures, verdict) = (difference.figures, "")
        if let least = comparison.least {
            // Of the whole interval, not of the mean.
            let isMet = difference.low >= least
            figures += [("asked_at_least", least), ("met", isMet ? 1 : 0)]
            verdict = "asked: at least \(least), \(isMet ? "met" : "MISSED")"
        }
        report("study.\(comparison.name)", figures)
        row(comparison.name, [difference.mean, difference.low, difference.high], verdict)
    }

    private func writeMasks() {
        complain("\nLargest difference of any weight, and of the AUC (asked: at most 1e-4)")
        for (name, largest) in [
            ("masked_beside_plain", results.masks), ("masked_beside_floating_point", results.fixedPoint),
        ] {
            let isMet = max(largest.weight, largest.area) <= 1e-4
            report(
                "study.\(name)",
                [
                    ("weight", largest.weight), ("auc", largest.area), ("cut_entries", Double(largest.cutEntries)),
                    ("seeds", Double(seeds)), ("asked_at_most", 1e-4), ("met", isMet ? 1 : 0),
                ])
            complain("  \(name): \(largest.weight), \(largest.area), \(isMet ? "met" : "MISSED")")
        }
    }

    private func writeNoise() {
        complain("\nNoise multipliers: of the honest shares (what is charged), of all shares, of a hospital alone")
        for promise in promises {
            let all = promise.multiplier * promise.allOverHonest
            report(
                "study.noise_epsilon_\(Int(promise.epsilon))",
                [
                    ("honest_shares", promise.multiplier), ("all_shares", all), ("alone", promise.aloneMultiplier),
                    ("delta", StudyPlans.Private.delta),
                ])
            row("epsilon \(Int(promise.epsilon))", [promise.multiplier, all, promise.aloneMultiplier])
        }
    }

    private func writeSeconds() {
        complain(
            "\nSimulated seconds of \(StudyAsynchronous.participants) devices until the validation AUC is \(StudyAsynchronous.target): mean, 95 % interval"
        )
        for way in StudyAsynchronous.Way.allCases {
            let interval = StudyInterval(results.seconds[way] ?? [])
            report("study.seconds.\(way.rawValue)", interval.figures)
            row(way.words, [interval.mean, interval.low, interval.high])
        }
        complain("\nTimes as long as FedBuff: geometric mean, 95 % interval (published: 3.3)")
        let buffer = (results.seconds[.buffer] ?? []).map { log($0) }
        for way in StudyAsynchronous.Way.allCases where way != .buffer {
            let ratio = StudyInterval((results.seconds[way] ?? []).map { log($0) }, minus: buffer)
            report(
                "study.fedbuff_times_\(way.rawValue)",
                [
                    ("mean", exp(ratio.mean)), ("low", exp(ratio.low)), ("high", exp(ratio.high)),
                    ("seeds", Double(ratio.count)), ("published", 3.3),
                ])
            row(way.words, [exp(ratio.mean), exp(ratio.low), exp(ratio.high)])
        }
    }

    private func row(_ words: String, _ numbers: [Double], _ verdict: String = "") {
        let padded = words.padding(toLength: max(54, words.count), withPad: " ", startingAt: 0)
        let columns = numbers.map { String(format: "%9.4f", $0) }.joined(separator: " ")
        complain("  \(padded) \(columns)\(verdict.isEmpty ? "" : "  \(verdict)")")
    }
}
