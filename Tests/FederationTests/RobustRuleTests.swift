import Testing

@testable import Federation

@Suite("Robust rules")
struct RobustRuleTests {
    static let rules: [Strategy] = [
        .coordinateMedian, .trimmedMean(trim: 3), .multiKrum(byzantine: 3, kept: 4), .multiKrum(byzantine: 3, kept: 1),
        .centredClipping(radius: 2, iterations: 3),
    ]

    @Test("Known answers, as numpy computes them")
    func known() throws {
        let updates: [[Float]] = [[1, 10, -3], [2, 20, -1], [3, 0, -2], [4, 40, 7], [100, -50, 0]]
        #expect(try Strategy.coordinateMedian.combine(updates).vector == [3, 10, -1])
        #expect(try Strategy.coordinateMedian.combine(Array(updates[..<4])).vector == [2.5, 15, -1.5])
        #expect(try Strategy.coordinateMedian.combine([[7, -7]]).vector == [7, -7])
        #expect(try Strategy.trimmedMean(trim: 1).combine(updates).vector == [3, 10, -1])
        #expect(try Strategy.trimmedMean(trim: 2).combine(updates).vector == [3, 10, -1])
        #expect(try Strategy.trimmedMean(trim: 0).combine(updates).vector == [22, 4, 0.2])
        let points: [[Float]] = [[0, 0], [1, 0], [0, 2], [1, 1], [3, 3], [50, 50], [-4, 1]]
        #expect(Krum(points).scores(byzantine: 2) == [7, 7, 11, 5, 31, 14024, 59])
        let krum = try Strategy.multiKrum(byzantine: 2, kept: 3).combine(points)
        #expect(krum.vector == [Float(2.0 / 3), Float(1.0 / 3)] && krum.counted == [0, 1, 3])
        #expect(try Strategy.multiKrum(byzantine: 2, kept: 1).combine(points).vector == [1, 1])
        let pulls: [[Float]] = [[3, 4], [0, 1], [1, 0], [30, -40]]
        let once = try Strategy.centredClipping(radius: 2, iterations: 1).combine(pulls).vector
        #expect(distance(once, [0.85, 0.25]) < 1e-6)
        let twice = try Strategy.centredClipping(radius: 2, iterations: 2).combine(pulls).vector
        #expect(distance(twice, [1.216969720689527, 0.40381063475867185]) < 1e-6)
        let second = try Strategy.centredClipping(radius: 2, iterations: 1).combine(pulls, centre: [0.85, 0.25])
        #expect(distance(second.vector, twice) < 1e-6)
    }

    @Test("The server remembers what centred clipping made, and starts there the next round")
    func remembered() throws {
        let rule = Strategy.centredClipping(radius: 1, iterations: 1)
        let updates = [[Float]](repeating: [3, 4], count: 5)
        var (weights, state): ([Float], ServerState) = ([0, 0], try ServerState(rule, parameters: 2))
        for wanted in [[0.6, 0.8], [1.2, 1.6], [1.8, 2.4], [2.4, 3.2], [3, 4], [3, 4]] as [[Float]] {
            let combined = try rule.combine(updates, centre: state.momentum)
            #expect(distance(combined.vector, wanted) < 1e-6)
            try state.apply(mean: combined.vector, to: &weights, strategy: rule)
            #expect(state.momentum == combined.vector)
        }
        #expect(distance(weights, [12, 16]) < 1e-5)
    }

    @Test("The sorting network sorts: all words of zeros and ones up to 12 values, and random ones of more")
    func network() {
        for count in 1...12 {
            let network = SortedColumns.network(count)
            for word in 0..<1 << count {
                var values = (0..<count).map { word >> $0 & 1 }
                for (lower, upper) in network where values[upper] < values[lower] { values.swapAt(lower, upper) }
                #expect(values == values.sorted())
            }
        }
        var draws = Draws(seed: 9)
        for count in [13, 31, 32, 33, 100, 257] {
            var values = draws.vector(count)
            for (lower, upper) in SortedColumns.network(count) where values[upper] < values[lower] {
                values.swapAt(lower, upper)
            }
            #expect(values == values.sorted())
        }
    }

    @Test("Medians and trimmed means are those of a plain sort, for lengths that fill no block")
    func plainSort() throws {
        var draws = Draws(seed: 10)
        for (count, length) in [(1, 5), (2, 17), (7, 33), (10, 16), (31, 40)] {
            let updates = (0..<count).map { _ in draws.vector(length) }
            let trim = (count - 1) / 3
            let median = try Strategy.coordinateMedian.combine(updates).vector
            let mean = try Strategy.trimmedMean(trim: trim).combine(updates).vector
            for index in 0..<length {
                let sorted = updates.map { Double($0[index]) }.sorted()
                #expect(median[index] == Float((sorted[(count - 1) / 2] + sorted[count / 2]) / 2))
                let kept = sorted[trim..<count - trim]
                #expect(abs(Double(mean[index]) - kept.reduce(0, +) / Double(kept.count)) < 1e-6)
            }
        }
    }

    @Test("Distances are those of a plain loop, for lengths that fill no chunk")
    func krumDistances() throws {
        var draws = Draws(seed: 11)
        for length in [1, 8, 13, 255, 256, 257, 700] {
            let updates = (0..<6).map { _ in draws.vector(length) }
            let scores = Krum(updates).scores(byzantine: 1)
            for row in 0..<6 {
                let others = (0..<6).filter { $0 != row }.map { norm(updates[row], updates[$0]) }.map { $0 * $0 }
                let wanted = others.sorted().prefix(3).reduce(0, +)
                #expect(abs(scores[row] / wanted - 1) < 1e-9)
            }
        }
    }

    @Test("Identical vectors come back as they are", arguments: rules)
    func identical(rule: Strategy) throws {
        var draws = Draws(seed: 12)
        for spread in [1e-20, 0.01, 1] as [Float] {
            let vector = draws.vector(40, spread: spread)
            let updates = [[Float]](repeating: vector, count: 11)
            let reached = rule.kind == .centredClipping && spread == 1
            #expect(try rule.combine(updates, centre: reached ? vector : nil).vector == vector)
        }
    }

    @Test(
        "The order of participants does not matter, to the bit, not even among ties and zeros of both signs",
        arguments: rules)
    func permutations(rule: Strategy) throws {
        var draws = Draws(seed: 13)
        var updates = (0..<11).map { _ in draws.vector(37, around: 0.3) }
        updates[1] = updates[0]
        updates[3] = updates[2].map { -$0 }
        for index in updates.indices { updates[index][0] = index % 2 == 0 ? 0 : -0.0 }
        updates[7][5] = .nan
        let wanted = try rule.combine(updates)
        #expect(wanted.leftOut == [7])
        for _ in 0..<20 {
            let order = draws.permutation(11)
            let found = try rule.combine(order.map { updates[$0] })
            #expect(found.vector.map(\.bitPattern) == wanted.vector.map(\.bitPattern))
            #expect(found.leftOut == [order.firstIndex(of: 7)])
        }
    }

    @Test("Ties of Krum are chosen by the vectors, not by their places")
    func ties() throws {
        // The corners of a square: all scores are equal.
        let corners: [[Float]] = [[0, 0], [0, 1], [1, 0], [1, 1]]
        var draws = Draws(seed: 14)
        for _ in 0..<10 {
            let order = draws.permutation(4)
            let result = try Strategy.multiKrum(byzantine: 0, kept: 1).combine(order.map { corners[$0] })
            #expect(result.vector == [0, 0])
        }
    }
}

@Suite("Robust rules under attack")
struct RobustAttackTests {
    enum Attack: CaseIterable, Sendable {
        case huge, signFlipped, inOneCoordinate, nearby, colluding, notNumbers, infinite

        func vector(_ honest: [[Float]], _ number: Int) -> [Float] {
            let mean = (0..<honest[0].count).map { index in honest.reduce(0) { $0 + $1[index] } / Float(honest.count) }
            switch self {
            case .huge: return mean.map { _ in number % 2 == 0 ? 3e38 : -3e38 }
            case .signFlipped: return mean.map { -10 * $0 }
            case .inOneCoordinate: return mean.enumerated().map { $0 == 3 ? 1e6 : $1 }
            case .nearby: return mean.map { $0 + 1.5 }
            case .colluding: return mean.map { $0 + 40 }
            case .notNumbers: return mean.map { _ in .nan }
            case .infinite: return mean.enumerated().map { $0 == 2 ? -.infinity : $1 }
            }
        }
    }

    /// The first 9 are honest, 4 are not.
    static let (honestCount, bad, length) = (9, 4, 30)

    static func updates(_ attack: Attack, seed: UInt64) -> (honest: [[Float]], all: [[Float]]) {
        var draws = Draws(seed: seed)
        let honest = (0..<honestCount).map { _ in draws.vector(length, around: 1, spread: 0.5) }
        return (honest, honest + (0..<bad).map { attack.vector(honest, $0) })
    }

    @Test("Median and trimmed mean stay within the honest range of each coordinate", arguments: Attack.allCases)
    func range(attack: Attack) throws {
        for seed in 20..<40 as Range<UInt64> {
            let (honest, all) = Self.updates(attack, seed: seed)
            for rule in [Strategy.coordinateMedian, .trimmedMean(trim: Self.bad)] {
                let result = try rule.combine(all)
                for index in 0..<Self.length {
                    let values = honest.map { $0[index] }
                    let (least, most) = (values.min() ?? 0, values.max() ?? 0)
                    #expect(result.vector[index] >= least && result.vector[index] <= most)
                }
                let isFinite = attack != .notNumbers && attack != .infinite
                #expect(result.leftOut == (isFinite ? [] : [9, 10, 11, 12]))
            }
        }
    }

    @Test("The plain mean does not: the same attack moves it out of that range")
    func mean() throws {
        let (honest, all) = Self.updates(.huge, seed: 20)
        let result = try Strategy.fedAvg.combine(all + [all[9]]).vector
        #expect(result[0] > (honest.map { $0[0] }.max() ?? 0))
        let one = try Strategy.trimmedMean(trim: 3).combine(Self.updates(.colluding, seed: 20).all).vector
        #expect(one[0] > (honest.map { $0[0] }.max() ?? 0), "one more than it bears")
    }

    @Test(
        "Multi-Krum stays within (1 + sqrt((n - f - 2) / (n - 2 f - 1))) honest diameters", arguments: Attack.allCases)
    func krum(attack: Attack) throws {
        for seed in 40..<60 as Range<UInt64> {
            let (honest, all) = Self.updates(attack, seed: seed)
            var diameter = 0.0
            for first in honest { for second in honest { diameter = max(diameter, norm(first, second)) } }
            // A chosen vector scores no worse than the worst honest one, (n - f - 2) diameters squared at most, and at
            // least n - 2 f - 1 of its neighbours are honest: one of these is near.
            let (n, f) = (Double(all.count), Double(Self.bad))
            let bound = (1 + ((n - f - 2) / (n - 2 * f - 1)).squareRoot()) * diameter
            for kept in [1, 7] {
                let result = try Strategy.multiKrum(byzantine: Self.bad, kept: kept).combine(all)
                for vector in honest { #expect(norm(result.vector, vector) <= bound) }
                if attack != .nearby && attack != .inOneCoordinate {
                    #expect(result.counted.allSatisfy { $0 < Self.honestCount })
                }
            }
        }
    }

    @Test(
        "Each malicious participant moves centred clipping by at most 2 radius / n an iteration",
        arguments: Attack.allCases)
    func clipping(attack: Attack) throws {
        var farthest = 0.0
        for (seed, iterations) in zip(60..<80 as Range<UInt64>, (1...4).flatMap { [Int](repeating: $0, count: 5) }) {
            let (honest, all) = Self.updates(attack, seed: seed)
            let rule = Strategy.centredClipping(radius: 1, iterations: iterations)
            // As many participants, the malicious ones honest instead; vectors that are not finite are not there at
            // all.
            let isFinite = attack != .notNumbers && attack != .infinite
            let clean = try rule.combine(isFinite ? honest + Array(honest[..<Self.bad]) : honest).vector
            let result = try rule.combine(all).vector
            let bound = 2 * Double(Self.bad) / Double(all.count) * Double(iterations)
            #expect(norm(result, clean) <= (isFinite ? bound * 1.000001 : 0))
            farthest = max(farthest, norm(result, clean) / bound)
        }
        if attack == .signFlipped { #expect(farthest > 0.5, "an attack that does nothing tests nothing") }
    }

    @Test("Vectors that are not finite are among those a rule bears: it goes on with fewer, up to its limit")
    func limit() throws {
        var draws = Draws(seed: 15)
        let good = (0..<7).map { _ in draws.vector(4) }
        let (nan, rule): ([Float], Strategy) = ([.nan, 0, 0, 0], .multiKrum(byzantine: 2, kept: 3))
        // 7 = 2 f + 3: a vector less, and the full f would not be borne.
        let six = try rule.combine(Array(good[..<6]) + [nan])
        #expect(six.leftOut == [6] && six.counted.count == 3)
        #expect(try rule.combine([nan] + Array(good[..<5]) + [nan]).leftOut == [0, 6])
        let three = StrategyError.tooManyNonFinite(.multiKrum, participants: [0, 1, 2], most: 2)
        #expect(throws: three) { try rule.combine([nan, nan, nan] + Array(good[..<4])) }
        // Among ten, the full f is borne without the three.
        #expect(try rule.combine([nan, nan, nan] + good).leftOut == [0, 1, 2])
        #expect(throws: StrategyError.tooManyNonFinite(.trimmedMean, participants: [2, 3], most: 1)) {
            try Strategy.trimmedMean(trim: 1).combine([good[0], good[1], nan, nan])
        }
        #expect(throws: StrategyError.tooManyNonFinite(.coordinateMedian, participants: [1, 2], most: 1)) {
            try Strategy.coordinateMedian.combine([good[0], nan, nan])
        }
        #expect(throws: StrategyError.tooManyNonFinite(.coordinateMedian, participants: [0], most: 0)) {
            try Strategy.coordinateMedian.combine([nan])
        }
    }

    @Test("Training goes on under attack where FedAvg is carried away")
    func training() throws {
        let problem = LeastSquares(participants: 9, dimensions: 3, heterogeneity: 0.1, seed: 16)
        let optimum = problem.optimum.map { Float($0) }
        let rules: [Strategy] = [
            .fedAvg, .coordinateMedian, .trimmedMean(trim: 2), .multiKrum(byzantine: 2, kept: 4),
            .centredClipping(radius: 0.05, iterations: 3),
        ]
        for rule in rules {
            var (weights, state) = ([Float](repeating: 0, count: 3), try ServerState(rule, parameters: 3))
            for _ in 0..<300 {
                let updates = try problem.participants.enumerated().map { index, participant in
                    let after = try participant.train(weights, steps: 2, rate: 0.05)
                    let update = zip(after, weights).map { $0 - $1 }
                    return index < 2 ? update.map { _ in 0.5 } : update
                }
                let combined = try rule.combine(updates, centre: state.momentum)
                try state.apply(mean: combined.vector, to: &weights, strategy: rule)
            }
            #expect(rule.kind == .fedAvg ? distance(weights, optimum) > 0.5 : distance(weights, optimum) < 0.5)
        }
    }
}
