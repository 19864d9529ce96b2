import Foundation
import Testing

@testable import MultipartyComputation

private let context = Array("a batch of tests".utf8)

/// Both aggregators' batches of one task, each stored and read again after every step, as after a crash.
private struct Batches {
    let run: Prio3Run<Int, [Int64]>
    var batches: [ReportBatch]

    init(minimumReports: Int = 2, capacity: Int = 10) throws {
        let prio3 = try Prio3Histogram(length: 4, context: context)
        run = Prio3Run(prio3: prio3)
        batches = try (0..<2).map {
            try ReportBatch(prio3, aggregator: $0, minimumReports: minimumReports, capacity: capacity)
        }
    }

    mutating func crash() throws {
        batches = try batches.map { try JSONDecoder().decode(ReportBatch.self, from: JSONEncoder().encode($0)) }
    }

    mutating func add(_ report: Prio3Report) throws {
        for aggregator in 0..<2 { try batches[aggregator].begin(report.nonce) }
        try crash()
        let outputs = try run.verify(report)
        for aggregator in 0..<2 { try batches[aggregator].accept(outputs[aggregator]) }
        try crash()
    }

    mutating func collect(noise: [Int64]? = nil) throws -> [AggregateShare] {
        let digests = batches.map(\.digest)
        return try (0..<2).map { try batches[$0].collect(agreed: digests[1 - $0], noise: noise) }
    }
}

@Suite("A batch of reports") struct Prio3BatchTests {
    @Test("Reports are summed once, through crashes, and the sum is given out")
    func sum() throws {
        var both = try Batches()
        for measurement in [0, 3, 3, 1] { try both.add(both.run.prio3.shard(measurement)) }
        #expect(both.batches.map(\.count) == [4, 4])
        let shares = try both.collect()
        #expect(try both.run.prio3.unshard(shares.map(\.encoded), count: 4) == [1, 1, 0, 2])
    }

    @Test("A report is taken once, whether it was accepted, dropped or is under way, also after a crash")
    func replay() throws {
        var both = try Batches()
        let report = try both.run.prio3.shard(1)
        try both.batches[0].begin(report.nonce)
        try both.crash()
        #expect(throws: ReportBatchError.replayed(report.nonce)) { try both.batches[0].begin(report.nonce) }
        #expect(both.batches[0].unfinished == [report.nonce])
        let output = try both.run.verify(report)[0]
        try both.batches[0].accept(output)
        try both.crash()
        #expect(throws: ReportBatchError.replayed(report.nonce)) { try both.batches[0].begin(report.nonce) }
        #expect(throws: ReportBatchError.notBegun(report.nonce)) { try both.batches[0].accept(output) }
        let dropped = ReportNonce()
        try both.batches[0].begin(dropped)
        try both.batches[0].reject(dropped)
        try both.crash()
        #expect(throws: ReportBatchError.replayed(dropped)) { try both.batches[0].begin(dropped) }
        #expect(throws: ReportBatchError.notBegun(dropped)) { try both.batches[0].reject(dropped) }
        #expect(both.batches[0].count == 1)
        #expect(both.batches[0].unfinished.isEmpty)
    }

    @Test("A report that was not begun is not taken, and one of another batch's task or aggregator neither")
    func another() throws {
        var both = try Batches()
        let outputs = try both.run.verify(both.run.prio3.shard(1))
        #expect(throws: ReportBatchError.notBegun(outputs[0].nonce)) { try both.batches[0].accept(outputs[0]) }
        try both.batches[0].begin(outputs[0].nonce)
        #expect(throws: ReportBatchError.another) { try both.batches[0].accept(outputs[1]) }
        let other = Prio3Run(prio3: try Prio3Histogram(length: 4, context: Array("another batch".utf8)))
        let theirs = try other.verify(other.prio3.shard(1))
        try both.batches[0].begin(theirs[0].nonce)
        #expect(throws: ReportBatchError.another) { try both.batches[0].accept(theirs[0]) }
        #expect(both.batches[0].count == 0)
        try both.batches[0].accept(outputs[0])
        #expect(both.batches[0].count == 1)
    }

    @Test("A report of one batch does not verify in another, whose context differs")
    func acrossBatches() throws {
        let report = try Prio3Histogram(length: 4, context: context).shard(1)
        let other = Prio3Run(prio3: try Prio3Histogram(length: 4, context: Array("another batch".utf8)))
        #expect(throws: Prio3Error.self) { try other.verify(report) }
    }

    @Test("Too few reports give no sum, and just enough do")
    func least() throws {
        var both = try Batches(minimumReports: 3)
        for measurement in [0, 1] { try both.add(both.run.prio3.shard(measurement)) }
        #expect(throws: ReportBatchError.tooFew(count: 2, needed: 3)) { try both.collect() }
        try both.add(both.run.prio3.shard(1))
        #expect(try both.collect().count == 2)
    }

    @Test("A dropped report does not count, and one under way holds the sum back")
    func unfinished() throws {
        var both = try Batches(minimumReports: 2)
        try both.add(both.run.prio3.shard(0))
        let bad = ReportNonce()
        for aggregator in 0..<2 { try both.batches[aggregator].begin(bad) }
        #expect(throws: ReportBatchError.unfinished(count: 1)) { try both.collect() }
        for aggregator in 0..<2 { try both.batches[aggregator].reject(bad) }
        #expect(throws: ReportBatchError.tooFew(count: 1, needed: 2)) { try both.collect() }
        try both.add(both.run.prio3.shard(0))
        let shares = try both.collect()
        #expect(try both.run.prio3.unshard(shares.map(\.encoded), count: 2) == [2, 0, 0, 0])
    }

    @Test("A batch is collected once: after that the same share can be sent again, and nothing else")
    func once() throws {
        var both = try Batches()
        for measurement in [2, 2] { try both.add(both.run.prio3.shard(measurement)) }
        let late = try both.run.prio3.shard(0)
        for aggregator in 0..<2 { try both.batches[aggregator].begin(late.nonce) }
        let lateOutputs = try both.run.verify(late)
        for aggregator in 0..<2 { try both.batches[aggregator].reject(late.nonce) }
        #expect(both.batches.allSatisfy { $0.collected == nil })
        let shares = try both.collect(noise: [10, -20, 30, -40])
        try both.crash()
        #expect(try both.run.prio3.unshard(shares.map(\.encoded), count: 2, noiseBound: 100) == [20, -40, 62, -80])
        for aggregator in 0..<2 {
            #expect(both.batches[aggregator].collected?.encoded == shares[aggregator].encoded)
            #expect(both.batches[aggregator].count == 2)
            let digest = both.batches[aggregator].digest
            #expect(throws: ReportBatchError.notOpen) {
                try both.batches[aggregator].collect(agreed: digest, noise: nil)
            }
            #expect(throws: ReportBatchError.notOpen) { try both.batches[aggregator].begin(ReportNonce()) }
            #expect(throws: ReportBatchError.notOpen) { try both.batches[aggregator].accept(lateOutputs[aggregator]) }
            #expect(throws: ReportBatchError.notOpen) { try both.batches[aggregator].reject(late.nonce) }
            try both.batches[aggregator].close()
        }
        try both.crash()
        #expect(both.batches.allSatisfy { $0.collected == nil && $0.stage == .closed && $0.count == 2 })
        #expect(throws: ReportBatchError.notOpen) { try both.collect() }
    }

    @Test("An open batch is not closed without its sum")
    func open() throws {
        var both = try Batches()
        #expect(throws: ReportBatchError.parameter("stage", expected: "a batch that was collected")) {
            try both.batches[0].close()
        }
    }

    @Test("Aggregators with other reports give no sum, and stay open")
    func otherReports() throws {
        var both = try Batches()
        for measurement in [2, 2] { try both.add(both.run.prio3.shard(measurement)) }
        let report = try both.run.prio3.shard(0)
        try both.batches[1].begin(report.nonce)
        try both.batches[1].accept(both.run.verify(report)[1])
        #expect(throws: ReportBatchError.otherReports) { try both.collect() }
        try both.batches[0].begin(report.nonce)
        try both.batches[0].accept(both.run.verify(report)[0])
        #expect(try both.run.prio3.unshard(both.collect().map(\.encoded), count: 3) == [1, 0, 2, 0])
    }

    @Test("The order of reports does not show in the digest, and which they are does")
    func digest() throws {
        var (first, second) = (try Batches(), try Batches())
        let run = Prio3Run(prio3: first.run.prio3)
        let reports = try (0..<5).map { try run.prio3.shard($0 % 4) }
        let outputs = try reports.map { try run.verify($0) }
        for output in outputs {
            try first.batches[0].begin(output[0].nonce)
            try first.batches[0].accept(output[0])
        }
        for output in outputs.reversed() {
            #expect(first.batches[0].digest != second.batches[0].digest)
            try second.batches[0].begin(output[0].nonce)
            try second.batches[0].accept(output[0])
        }
        #expect(first.batches[0].digest == second.batches[0].digest)
    }

    @Test("Wrong noise is refused and leaves the batch open")
    func noise() throws {
        var both = try Batches()
        for measurement in [2, 2] { try both.add(both.run.prio3.shard(measurement)) }
        #expect(throws: ReportBatchError.parameter("noise", expected: "4 integers")) { try both.collect(noise: [1]) }
        let shares = try both.collect(noise: [1, 1, 1, 1])
        #expect(try both.run.prio3.unshard(shares.map(\.encoded), count: 2, noiseBound: 2) == [2, 2, 4, 2])
    }

    @Test("Memory is bounded: no more reports are begun than fit, dropped ones included")
    func capacity() throws {
        var both = try Batches(minimumReports: 2, capacity: 4)
        for _ in 0..<2 { try both.add(both.run.prio3.shard(1)) }
        for _ in 0..<2 {
            let nonce = ReportNonce()
            try both.batches[0].begin(nonce)
            try both.batches[0].reject(nonce)
        }
        #expect(throws: ReportBatchError.full(capacity: 4)) { try both.batches[0].begin(ReportNonce()) }
        #expect(try both.collect().count == 2)
    }

    @Test("Parameters out of range are refused, and a sum that could overflow")
    func parameters() throws {
        let prio3 = try Prio3Histogram(length: 4, context: context)
        let wrong: [(String, Int, Int, Int)] = [
            ("aggregator", 2, 2, 10), ("aggregator", -1, 2, 10), ("minimumReports", 0, 1, 10),
            ("capacity", 0, 11, 10), ("capacity", 0, 2, 1 << 24 + 1),
        ]
        for (name, aggregator, minimum, capacity) in wrong {
            do {
                _ = try ReportBatch(prio3, aggregator: aggregator, minimumReports: minimum, capacity: capacity)
                Issue.record("\(name) was taken")
            } catch ReportBatchError.parameter(let named, _) {
                #expect(named == name)
            }
        }
        _ = try ReportBatch(prio3, aggregator: 0, minimumReports: 2, capacity: 1 << 24)
        let large = try Prio3Sum(maximum: 1 << 40, context: context)
        _ = try ReportBatch(large, aggregator: 0, minimumReports: 2, capacity: 1 << 21)
        #expect(
            throws: ReportBatchError.parameter("capacity", expected: "so few reports that their sum is at most 2^61")
        ) {
            try ReportBatch(large, aggregator: 0, minimumReports: 2, capacity: 1 << 21 + 1)
        }
    }

    @Test("States that no batch could be in are refused")
    func states() throws {
        var both = try Batches()
        for measurement in [2, 2] { try both.add(both.run.prio3.shard(measurement)) }
        try both.batches[0].begin(ReportNonce())
        let stored = try #require(
            try JSONSerialization.jsonObject(with: JSONEncoder().encode(both.batches[0])) as? [String: Any])
        func read(_ changes: [String: Any]) throws {
            let changed = stored.merging(changes) { $1 }
            _ = try JSONDecoder().decode(
                ReportBatch.self,
                from: try JSONSerialization.data(withJSONObject: changed.filter { !($0.value is NSNull) }))
        }
        try read([:])
        let nonces = try #require(stored["accepted"] as? String)
        let changes: [[String: Any]] = [
            ["count": 1], ["count": -1], ["stage": "collected"], ["stage": "closed"], ["stage": "begun"],
            ["share": NSNull()], ["begun": nonces], ["rejected": "AAAA"], ["accepted": ""], ["minimumReports": 1],
            ["capacity": 2], ["capacity": 1 << 30], ["share": ["task": [1]]],
            ["share": ["task": [1], "aggregator": 0, "elements": ["field": 96, "elements": ""]]],
            ["share": ["task": [1], "aggregator": 0, "elements": ["field": 64, "elements": "//////////8="]]],
        ]
        for change in changes {
            #expect(throws: (any Error).self, "\(change.keys)") { try read(change) }
        }
    }
}
