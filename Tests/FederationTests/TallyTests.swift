import Crypto
import DifferentialPrivacy
import Foundation
import Secrets
import Testing

@testable import Federation
@testable import MultipartyComputation

@Suite("Tallies: sums over devices, by two aggregators")
struct TallyTests {
    @Test("Known sums come out, of each measure; and where a number is out of its bounds the nearest counts")
    func sums() throws {
        let words = TallyBuckets.words(["walk", "bike", "car"])
        let cases: [(TallyPlan.Measure, [TallyValue], [Int64])] = [
            (.count, [.flag(true), .flag(false), .flag(true)], [2]),
            (.sum(maximum: 30), [.number(7), .number(29.6), .number(1e300), .number(-4)], [67]),
            (.histogram(buckets: words), [.word("car"), .word("walk"), .word("car")], [1, 0, 2]),
            (
                .histogram(buckets: .bounds([0, 10])),
                [.number(-1), .number(0), .number(9.9), .number(10), .number(.infinity)],
                [1, 2, 2]
            ),
            (.vector(length: 3, maximum: 5), [.numbers([1, 2, 3]), .numbers([5, 9, 0])], [6, 7, 3]),
        ]
        for (measure, values, expected) in cases {
            var tally = try TallyFixture(TallyFixture.plan(measure))
            for value in values { #expect(try tally.upload(tally.frame(value)) == .taken) }
            let result = try tally.result()
            #expect(result.sums == expected && result.reports == values.count, "\(measure)")
            #expect(tally.leader.dropped == 0 && tally.helper.dropped == 0)
        }
    }

    @Test("Each aggregator draws all of the noise, and the result has both: by their variances, of fixed keys")
    func noise() throws {
        let (entries, sigma) = (4_096, 4.0)
        let plan = TallyFixture.plan(
            .vector(length: entries, maximum: 1),
            privacy: TallyPrivacy(.rho(Double(entries) / (2 * sigma * sigma))))
        #expect(abs(try plan.noise().sigma - sigma) < 1e-6)
        var tally = try TallyFixture(plan)
        let value = TallyValue.numbers((0..<entries).map { Double($0 % 2) })
        let frames = try (0..<2).map { _ in try tally.frame(value) }
        for frame in frames { _ = try tally.upload(frame) }
        let reports = try TallyFixture.digest(of: frames)
        let own = try (tally.leading.noise(for: reports), tally.helping.noise(for: reports))
        let result = try tally.result()
        let noise = zip(own.0, own.1).map { $0 + $1 }
        let noisy: [Int64] = noise.enumerated().map { 2 * Int64($0.offset % 2) + $0.element }
        #expect(result.sums == noisy)

        /// Of so many normal numbers of that variance the squares sum up to within 6 of their deviations, but for 2e-9; the keys are fixed, so that it is so or not.
        func isOf(variance: Double, _ numbers: [Int64]) -> Bool {
            let squares = numbers.reduce(0) { $0 + Double($1) * Double($1) } / variance
            return abs(squares - Double(entries)) < 6 * (2 * Double(entries)).squareRoot()
        }
        let sets = [Data(repeating: 1, count: 32), Data(repeating: 2, count: 32)]
        let draws = try sets.flatMap { [try tally.leading.noise(for: $0), try tally.helping.noise(for: $0)] }
        for (place, draw) in draws.enumerated() {
            #expect(isOf(variance: sigma * sigma, draw))
            // Independent of all others: of the other aggregator, and of another set of reports.
            for other in draws[..<place] {
                #expect(isOf(variance: 2 * sigma * sigma, zip(draw, other).map { $0 - $1 }))
            }
        }
        // 95 % of the numbers lie within the half width: of 4,096, but for 6 deviations of 14.
        let width = try plan.halfWidth()
        let inside = zip(draws[0], draws[1]).count { abs(Double($0 + $1)) <= width }
        #expect(inside > 3_891 - 84 && inside < 3_891 + 110, "\(inside)")
    }

    @Test(
        "Noise follows from the keys, the task, the role and the reports that are in the sum: of one batch it is one, and of a batch that differs by a report, another"
    )
    func keyedNoise() throws {
        let plan = TallyFixture.plan(.vector(length: 64, maximum: 1), privacy: TallyPrivacy(.rho(0.5)))
        let tally = try TallyFixture(plan)
        let value = TallyValue.numbers([Double](repeating: 1, count: 64))
        let frames = try (0..<4).map { _ in try tally.frame(value) }
        /// Of aggregators that forgot all, and are told reports in an order of their own.
        func sums(_ frames: [Data]) throws -> [Int64] {
            var other = try TallyFixture(plan)
            for frame in frames { _ = try other.upload(frame) }
            return try other.result().sums
        }
        let first = try sums(Array(frames[..<3]))
        // Of 64 numbers of sigma 8 all come out the same with a probability below 1e-60.
        #expect(try sums(frames[..<3].reversed()) == first)
        let more = try sums(frames)
        #expect(more != first.map { $0 + 1 }, "another draw behind a report more")
        #expect(try sums([frames[0], frames[1], frames[3]]) != first)
        let reports = try TallyFixture.digest(of: frames)
        let noise = try tally.leading.noise(for: reports)
        let helpers = try tally.helping.noise(for: reports)
        var renamed = plan
        renamed.name = "another task"
        let others = try TallyAggregator(TallyTask(renamed), key: TallyFixture.leaderKey).noise(for: reports)
        #expect(noise != helpers && noise != others && helpers != others)
    }

    @Test("The least noise is drawn that proves the plan's promise, by the sensitivity of its measure")
    func promises() throws {
        let measures: [(TallyPlan.Measure, Double)] = [
            (.count, 1), (.sum(maximum: 600), 360_000), (.histogram(buckets: .words(["a", "b"])), 2),
            (.vector(length: 7, maximum: 24), 7 * 576),
        ]
        for (measure, square) in measures {
            #expect(measure.sensitivitySquared == square)
            let plan = TallyFixture.plan(measure, privacy: TallyPrivacy(.epsilon(1), delta: 1e-6))
            #expect(try plan.epsilon() <= 1)
            var less = RenyiAccountantBox()
            try less.compose(square, sigma: plan.noise().sigma * 0.999)
            #expect(try less.epsilon(1e-6) > 1)
            let rho = TallyFixture.plan(measure, privacy: TallyPrivacy(.rho(0.05)))
            let loss = try rho.event().loss(kind: .zeroConcentrated)
            #expect(loss.value <= 0.05 && loss.value > 0.0499)
        }
        // The largest distances that there are, by trying all pairs of a small measure.
        let largest: (TallyPlan.Measure, [[Double]]) = (
            .vector(length: 2, maximum: 2), (0..<9).map { [Double($0 / 3), Double($0 % 3)] }
        )
        let squares = largest.1.flatMap { a in
            largest.1.map { b in zip(a, b).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) } }
        }
        #expect(squares.max() == largest.0.sensitivitySquared)
    }

    private struct RenyiAccountantBox {
        private var accountant = try? RenyiAccountant(neighbours: .replaceOne)
        mutating func compose(_ square: Double, sigma: Double) throws {
            try accountant?.compose(.discreteGaussian(sensitivitySquared: square, sigma: sigma))
        }
        func epsilon(_ delta: Double) throws -> Double { try accountant?.epsilon(delta: delta).upper ?? 0 }
    }

    @Test("A report has the same length whatever it says, and is the same whenever it is sent again")
    func reports() throws {
        let tally = try TallyFixture(TallyFixture.plan(.sum(maximum: 1_000)))
        let lengths = try [0, 1, 1_000].map { try tally.frame(.number($0)).count }
        #expect(Set(lengths) == [tally.task.reportBytes])
        var device = try tally.device()
        let first = try device.report(.number(3))
        #expect(try device.report(.number(900)) == first)
        let kept = try JSONDecoder().decode(TallyDevice.State.self, from: JSONEncoder().encode(device.state))
        #expect(kept == device.state)
    }

    @Test("Fewer reports than the least give no result, and neither does a second time")
    func few() throws {
        var tally = try TallyFixture(TallyFixture.plan(.count, least: 3))
        for _ in 0..<2 { _ = try tally.upload(tally.frame(.flag(true))) }
        #expect(try tally.finish() == .void(.few))
        #expect(try tally.finish() == .void(.few))
        #expect(try tally.upload(tally.frame(.flag(true))) == .refused(.closed))
    }

    @Test("A batch ends with its time, and with its most reports; a device that asks again is told what it was told")
    func ends() throws {
        var tally = try TallyFixture(TallyFixture.plan(.count, most: 3))
        let first = try tally.frame(.flag(true))
        #expect(try tally.upload(first) == .taken)
        #expect(tally.leader.reply(at: 40) == .open(seconds: 60))
        for _ in 0..<2 { #expect(try tally.upload(tally.frame(.flag(true))) == .taken) }
        #expect(tally.leader.stage == .closed)
        #expect(try tally.upload(tally.frame(.flag(true))) == .refused(.closed))
        #expect(try tally.upload(first) == .taken)
        #expect(try tally.result().sums == [3])
        #expect(try tally.upload(first) == .taken)
        var late = try TallyFixture(TallyFixture.plan(.count))
        #expect(try late.upload(late.frame(.flag(true)), at: 100) == .refused(.closed))
    }

    @Test("States that are written and read at every step come to the same result")
    func stored() throws {
        var tally = try TallyFixture(TallyFixture.plan(.histogram(buckets: .bounds([1, 2, 3]))))
        func reread(_ tally: inout TallyFixture) throws {
            let (encoder, decoder) = (JSONEncoder(), JSONDecoder())
            tally.leader = try decoder.decode(TallyLeaderState.self, from: encoder.encode(tally.leader))
            tally.helper = try decoder.decode(TallyHelperState.self, from: encoder.encode(tally.helper))
        }
        let frames = try (0..<20).map { try tally.frame(.number(Double($0 % 4))) }
        for frame in frames {
            #expect(try tally.upload(frame) == .taken)
            try reread(&tally)
            #expect(try tally.upload(frame) == .taken)
            if tally.leader.waiting > 5 { try tally.exchange() }
            try reread(&tally)
        }
        let result = try tally.result()
        #expect(result.sums == [5, 5, 5, 5])
        try reread(&tally)
        #expect(try tally.result() == result)
    }

    @Test("Plans that are none are refused with what would be right")
    func plans() throws {
        func refused(_ change: (inout TallyPlan) -> Void) -> String? {
            var plan = TallyFixture.plan(.count)
            change(&plan)
            do throws(FederationError) { _ = try TallyTask(plan) } catch { return error.description }
            return nil
        }
        #expect(refused { _ in } == nil)
        #expect(refused { $0.leastReports = 1 }?.contains("from 2") == true)
        #expect(refused { $0.mostReports = 1 << 21 }?.contains("1048576") == true)
        #expect(refused { $0.helper = $0.leader }?.contains("two, of parties") == true)
        #expect(refused { $0.privacy = TallyPrivacy(.rho(0)) }?.contains("rho") == true)
        #expect(refused { $0.privacy = TallyPrivacy(.epsilon(1), delta: 0) }?.contains("delta") == true)
        #expect(refused { $0.privacy = TallyPrivacy(.epsilon(.nan)) }?.contains("epsilon") == true)
        #expect(refused { $0.seconds = .infinity }?.contains("1e8") == true)
        #expect(refused { $0.enroller = Data(count: 3) }?.contains("32 bytes") == true)
        #expect(refused { $0.measure = .sum(maximum: 0) }?.contains("2^40") == true)
        #expect(refused { $0.measure = .vector(length: 1 << 16, maximum: 3) }?.contains("32768") == true)
        #expect(refused { $0.measure = .histogram(buckets: .words(["a", "a"])) }?.contains("different") == true)
        #expect(refused { $0.measure = .histogram(buckets: .bounds([2, 1])) }?.contains("growing") == true)
        // A key of small order: nothing can be encrypted for it.
        #expect(refused { $0.collector = TallyIdentity(Data(count: 64)) ?? $0.collector } != nil)
        #expect(throws: FederationError.self) {
            try TallyAggregator(TallyTask(TallyFixture.plan(.count)), key: TallyFixture.collectorKey)
        }
    }

    @Test("Values of another kind are refused without being named; nothing prints a share or a key")
    func silence() throws {
        let tally = try TallyFixture(TallyFixture.plan(.histogram(buckets: .words(["a", "b"]))))
        for value in [TallyValue.number(77_123), .word("secret"), .flag(true), .numbers([77_123])] {
            do {
                _ = try tally.frame(value)
                Issue.record("not refused")
            } catch {
                let words = "\(error)"
                #expect(!words.contains("77") && !words.contains("secret"))
            }
        }
        let report = try TallyReport(reading: tally.frame(.word("b")))
        for text in ["\(report)", "\(tally.leader)", "\(tally.helper)", "\(TallyFixture.leaderKey)"] {
            #expect(text.count < 80, "\(text)")
        }
        var dumped = ""
        dump(TallyFixture.leaderKey, to: &dumped)
        dump(tally.helper, to: &dumped)
        #expect(dumped.count < 200)
    }
}
