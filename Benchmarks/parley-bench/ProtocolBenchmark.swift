import Foundation
import MultipartyComputation

/// Protocols between few parties, on one thread: the intersection of two lists, and sums of proved measurements; then the intersection between two sites.
struct ProtocolBenchmark {
    static let names = ["intersection", "prio3"]
    let workplace: Workplace

    func run() throws {
        for name in Self.names {
            FileHandle.standardOutput.write(Data(try workplace.child("protocols", name).utf8))
        }
        try IntersectBenchmark(workplace: workplace).run()
    }

    static func child(_ name: String) throws {
        switch name {
        case "intersection": try intersection(count: 100_000)
        case "prio3": try prio3()
        default: exit(2)
        }
    }

    /// Both sides of an intersection of which both learn a tenth, one after the other: each side's own processor time, and the memory of both together.
    private static func intersection(count: Int) throws {
        let session = try IntersectionSession(
            identifier: Data(repeating: 7, count: 16), first: .init(name: "first", capacity: count),
            second: .init(name: "second", capacity: count), output: .identifiers, recipients: .both)
        var seconds = [0.0, 0.0]
        func timed<Result>(_ side: Int, _ work: () throws -> Result) rethrows -> Result {
            let start = processorSeconds()
            defer { seconds[side] += processorSeconds() - start }
            return try work()
        }
        var parties = try [IntersectionSession.Role.first, .second].enumerated().map { side, role in
            let start = side == 0 ? 0 : count - count / 10
            let identifiers = (start..<start + count).map { Data("person-\(10_000_000 + $0)".utf8) }
            var allowance = try IntersectionAllowance(peer: role.other.rawValue, sessions: 1, guesses: count)
            return try timed(side) {
                try IntersectionParty(session: session, role: role, identifiers: identifiers, allowance: &allowance)
            }
        }
        let lists = parties.map(\.blinded)
        let replies = try [0, 1].map { side in try timed(side) { try parties[side].evaluate(lists[1 - side]) } }
        for side in [0, 1] {
            guard let reply = replies[1 - side] else { continue }
            let result = try timed(side) { try parties[side].conclude(reply) }
            guard result.size == count / 10 else { exit(1) }
        }
        report(
            "intersection",
            [
                ("identifiers", Double(count)), ("first_cpu_s", seconds[0]), ("second_cpu_s", seconds[1]),
                ("peak_mb", peakMegabytes()),
            ])
    }

    private static func prio3() throws {
        let context = Array("benchmark".utf8)
        try prio3("count", Prio3Count(context: context), true)
        try prio3("sum_65536", Prio3Sum(maximum: 1 << 16, context: context), 12_345)
        try prio3("histogram_256", Prio3Histogram(length: 256, context: context), 77)
        try prio3(
            "sum_vector_1000", Prio3SumVec(length: 1_000, maximum: 1, context: context),
            (0..<1_000).map { UInt64($0 % 3 == 0 ? 1 : 0) })
    }

    private static func prio3<M, A>(_ name: String, _ prio3: Prio3<M, A>, _ measurement: M) throws {
        let key = VerifyKey()
        let made = try prio3.shard(measurement)
        func microseconds(_ work: () throws -> Void) rethrows -> Double {
            var times: [Double] = []
            for _ in 0..<201 {
                let start = processorSeconds()
                try work()
                times.append((processorSeconds() - start) * 1e6)
            }
            return median(times)
        }
        func verify(_ aggregator: Int) throws -> (state: VerifyState, verifierShare: [UInt8]) {
            try prio3.verifyInit(
                key, aggregator: aggregator, nonce: made.nonce, publicShare: made.publicShare,
                inputShare: made.inputShares[aggregator])
        }
        report(
            "prio3_\(name)",
            [
                ("client_us", try microseconds { _ = try prio3.shard(measurement) }),
                ("leader_us", try microseconds { _ = try verify(0) }),
                ("helper_us", try microseconds { _ = try verify(1) }),
                ("leader_bytes", Double(made.inputShares[0].count)),
                ("helper_bytes", Double(made.inputShares[1].count)),
            ])
    }
}
