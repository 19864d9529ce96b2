/// Labels beside what a model says of them. Definitions are those of scikit-learn 1.9 with its defaults, unless said otherwise.
public struct LabelScores: Sendable {
    /// The number of labels that there can be.
    public let classes: Int
    /// True labels, one a row.
    private let labels: [Int]
    /// [rows, classes]: probabilities, or any scores of which a higher one is likelier.
    private let scores: [Double]
    /// Row: the true label; column: the likeliest.
    public let confusion: [[Int]]

    /// - Parameters:
    ///   - labels: One a row, below the number of classes.
    ///   - scores: For each row one a class.
    /// - Throws: Rows that do not fit; scores that are no number.
    public init(labels: [Int], scores: [Double], classes: Int) throws(MetricError) {
        guard classes >= 2 else { throw .mismatch("labels of \(classes) classes have no metric: at least two") }
        guard scores.count == labels.count * classes, !labels.isEmpty else {
            throw .mismatch("\(scores.count) scores beside \(labels.count) rows: \(classes) a row, of at least one row")
        }
        guard labels.allSatisfy((0..<classes).contains) else { throw .mismatch("labels are from 0 to \(classes - 1)") }
        guard !scores.contains(where: \.isNaN) else { throw .notANumber }
        self.classes = classes
        self.labels = labels
        self.scores = scores
        var confusion = [[Int]](repeating: [Int](repeating: 0, count: classes), count: classes)
        for (row, label) in labels.enumerated() {
            let own = scores[row * classes..<(row + 1) * classes]
            // The first of several that are equal.
            let likeliest = own.indices.reduce(own.startIndex) { own[$1] > own[$0] ? $1 : $0 } - own.startIndex
            confusion[label][likeliest] += 1
        }
        self.confusion = confusion
    }

    private var rows: Int { labels.count }
    private func truly(_ label: Int) -> Int { confusion[label].reduce(0, +) }
    private func found(_ label: Int) -> Int { confusion.reduce(0) { $0 + $1[label] } }
    private var right: Int { (0..<classes).reduce(0) { $0 + confusion[$1][$1] } }

    /// One metric.
    ///
    /// - Throws: That these rows have none, and why.
    public func value(_ metric: Metric) throws(MetricError) -> Double {
        switch metric {
        case .accuracy: return Double(right) / Double(rows)
        case .balancedAccuracy:
            let recalls = (0..<classes).filter { truly($0) > 0 }.map { Double(confusion[$0][$0]) / Double(truly($0)) }
            return recalls.mean
        case .correlation: return correlation
        case .f1: return f1.compactMap(\.self).mean
        case .rocAUC: return try oneAgainstOthers(metric, Self.area)
        case .averagePrecision: return try oneAgainstOthers(metric, Self.averagePrecision)
        case .calibrationError:
            return try reliability().reduce(0) { $0 + Double($1.rows) * abs($1.right - $1.confidence) } / Double(rows)
        case .brier: return try brier()
        case .loss, .meanSquaredError, .meanAbsoluteError, .r2:
            throw .undefined(metric, reason: "it is one of values, and these are labels")
        }
    }

    /// 2 x found rightly / (true + found) for each label; nil for one that neither occurs nor is found.
    public var f1: [Double?] {
        (0..<classes).map { label in
            let all = truly(label) + found(label)
            return all == 0 ? nil : Double(2 * confusion[label][label]) / Double(all)
        }
    }

    /// 0 where all rows have one label, or all are given one.
    private var correlation: Double {
        let (trues, founds) = ((0..<classes).map { Double(truly($0)) }, (0..<classes).map { Double(found($0)) })
        let n = Double(rows)
        let covariance = Double(right) * n - zip(trues, founds).reduce(0) { $0 + $1.0 * $1.1 }
        let variances = (
            n * n - founds.reduce(0) { $0 + $1 * $1 }, n * n - trues.reduce(0) { $0 + $1 * $1 }
        )
        return variances.0 * variances.1 == 0 ? 0 : covariance / (variances.0 * variances.1).squareRoot()
    }

    /// The second label's value where there are two; else the mean over labels, each against the others.
    private func oneAgainstOthers(
        _ metric: Metric, _ measure: (_ positives: [Bool], _ scores: [Double]) -> Double
    ) throws(MetricError) -> Double {
        var values: [Double] = []
        for label in classes == 2 ? 1..<2 : 0..<classes {
            let count = truly(label)
            guard count > 0, count < rows else {
                throw .undefined(
                    metric, reason: "label \(label) is \(count == 0 ? "none of the rows'" : "the label of all rows")")
            }
            values.append(
                measure(labels.map { $0 == label }, (0..<rows).map { scores[$0 * classes + label] }))
        }
        return values.mean
    }

    /// The probability that a positive's score is above a negative's, equal scores counted as half: whole numbers to the end, so
    /// that ties are exact.
    private static func area(_ positives: [Bool], _ scores: [Double]) -> Double {
        var (below, twiceAbove) = (0, 0)
        groups(scores) { rows in
            let (ups, downs) = split(rows, positives)
            twiceAbove += ups * (2 * below + downs)
            below += downs
        }
        let ups = positives.count { $0 }
        return Double(twiceAbove) / 2 / (Double(ups) * Double(positives.count - ups))
    }

    /// The sum over thresholds of precision times the recall that each adds.
    private static func averagePrecision(_ positives: [Bool], _ scores: [Double]) -> Double {
        let all = positives.count { $0 }
        var (ups, rows, sum) = (0, 0, 0.0)
        groups(scores.map { -$0 }) { group in
            let added = split(group, positives).ups
            ups += added
            rows += group.count
            sum += Double(added) * Double(ups) / Double(rows)
        }
        return sum / Double(all)
    }

    private static func split(_ rows: ArraySlice<Int>, _ positives: [Bool]) -> (ups: Int, downs: Int) {
        let ups = rows.count { positives[$0] }
        return (ups, rows.count - ups)
    }

    /// The rows of each score, from the lowest on.
    private static func groups(_ scores: [Double], _ body: (ArraySlice<Int>) -> Void) {
        let order = scores.indices.sorted { scores[$0] < scores[$1] }
        var start = 0
        while start < order.count {
            let end = order[start...].firstIndex { scores[$0] != scores[order[start]] } ?? order.count
            body(order[start..<end])
            start = end
        }
    }

    // MARK: Probabilities

    /// Rows whose likeliest label is given about the same probability.
    public struct ReliabilityBin: Sendable, Equatable {
        /// From there, exclusive but for the first, to `upper`.
        public var lower: Double
        /// Inclusive.
        public var upper: Double
        /// How many.
        public var rows: Int
        /// The mean probability that they are given.
        public var confidence: Double
        /// The part of them that is right.
        public var right: Double
    }

    /// Bins that hold rows, of the same width each, by the likeliest label's probability.
    ///
    /// - Throws: Scores that are no probabilities.
    public func reliability(bins: Int = 15) throws(MetricError) -> [ReliabilityBin] {
        try requireProbabilities(.calibrationError)
        var (counts, sums) = ([Int](repeating: 0, count: bins), [Double](repeating: 0, count: bins))
        var rights = counts
        for (row, label) in labels.enumerated() {
            let own = scores[row * classes..<(row + 1) * classes]
            let likeliest = own.indices.reduce(own.startIndex) { own[$1] > own[$0] ? $1 : $0 }
            let confidence = own[likeliest]
            // Bin k ends at (k + 1) / bins, which belongs to it.
            let bin = (0..<bins - 1).first { confidence <= Double($0 + 1) / Double(bins) } ?? bins - 1
            counts[bin] += 1
            sums[bin] += confidence
            rights[bin] += likeliest - own.startIndex == label ? 1 : 0
        }
        return counts.indices.filter { counts[$0] > 0 }.map { bin in
            ReliabilityBin(
                lower: Double(bin) / Double(bins), upper: Double(bin + 1) / Double(bins), rows: counts[bin],
                confidence: sums[bin] / Double(counts[bin]), right: Double(rights[bin]) / Double(counts[bin]))
        }
    }

    private func brier() throws(MetricError) -> Double {
        try requireProbabilities(.brier)
        var sum = 0.0
        for (row, label) in labels.enumerated() {
            for other in 0..<classes {
                let error = scores[row * classes + other] - (other == label ? 1 : 0)
                sum += error * error
            }
        }
        return sum / Double(rows) / (classes == 2 ? 2 : 1)
    }

    private func requireProbabilities(_ metric: Metric) throws(MetricError) {
        for row in 0..<rows {
            let own = scores[row * classes..<(row + 1) * classes]
            guard own.allSatisfy({ $0 >= 0 && $0 <= 1 }), abs(own.reduce(0, +) - 1) < 1e-4 else {
                throw .undefined(metric, reason: "scores are no probabilities of the labels")
            }
        }
    }
}

extension [Double] {
    /// No number where there are none.
    var mean: Double { reduce(0, +) / Double(count) }
}
