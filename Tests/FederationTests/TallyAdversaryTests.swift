import Crypto
import Foundation
import Secrets
import Testing

@testable import Federation
@testable import MultipartyComputation

@Suite("Tallies: clients, leaders and helpers that lie")
struct TallyAdversaryTests {
    private static let sums = TallyFixture.plan(.sum(maximum: 5))

    @Test("What is no valid measurement is dropped by both aggregators, and the others are counted")
    func invalid() throws {
        for measure in [TallyPlan.Measure.sum(maximum: 5), .vector(length: 3, maximum: 5), .count] {
            var tally = try TallyFixture(TallyFixture.plan(measure))
            let good: TallyValue =
                switch measure {
                case .count: .flag(true)
                case .sum: .number(4)
                default: .numbers([4, 0, 4])
                }
            for _ in 0..<3 { _ = try tally.upload(tally.frame(good)) }
            let made = try tally.task.scheme.shard(try measure.measurement(of: good))
            // Each byte of a share is of an element, or of a seed.
            for (place, byte) in [(0, 0), (0, made.inputShares[0].count - 40), (1, 3)] {
                var shares = made.inputShares
                shares[place][byte] ^= 1
                let changed = Prio3Report(nonce: ReportNonce(), publicShare: made.publicShare, inputShares: shares)
                #expect(try tally.upload(tally.frame(changed)) == .taken)
            }
            if !made.publicShare.isEmpty {
                // Joint randomness is of one nonce. (Without it the device's signature alone binds shares to theirs.)
                let moved = Prio3Report(
                    nonce: ReportNonce(), publicShare: made.publicShare, inputShares: made.inputShares)
                #expect(try tally.upload(tally.frame(moved)) == .taken)
                for byte in [0, 40] {
                    var false_ = made.publicShare
                    false_[byte] ^= 1
                    let changed = Prio3Report(
                        nonce: ReportNonce(), publicShare: false_, inputShares: made.inputShares)
                    #expect(try tally.upload(tally.frame(changed)) == .taken)
                }
            }
            let result = try tally.result()
            #expect(result.reports == 3 && tally.leader.dropped == tally.helper.dropped, "\(measure)")
            #expect(tally.leader.dropped == (made.publicShare.isEmpty ? 3 : 6))
            #expect(result.sums.allSatisfy { [0, 3, 12].contains($0) })
        }
    }

    @Test("A value above the maximum, with a proof for a larger one, counts as no more than the maximum")
    func huge() throws {
        var tally = try TallyFixture(Self.sums)
        for _ in 0..<2 { _ = try tally.upload(tally.frame(.number(5))) }
        let other = try Prio3Sum(maximum: 7, context: Array("parley tally 1 ".utf8) + tally.task.digest)
        #expect(try tally.upload(tally.frame(try other.shard(7))) == .taken)
        // Of another length: no report of this plan.
        let longer = try Prio3Sum(maximum: 1 << 40, context: Array("parley tally 1 ".utf8) + tally.task.digest)
        #expect(throws: FrameError.self) { try tally.upload(tally.frame(try longer.shard(1 << 40))) }
        // The draft's encoding of 0 to 5 in three bits has no string that is more: 7's is 5's.
        let result = try tally.result()
        #expect(result.sums == [15] && result.reports == 3)
    }

    @Test("A report counts once: of one device one, of one nonce one, and copied shares open in no other report")
    func once() throws {
        var tally = try TallyFixture(Self.sums)
        let (key, other) = (Curve25519.Signing.PrivateKey(), Curve25519.Signing.PrivateKey())
        let frame = try tally.frame(.number(3), key)
        for _ in 0..<3 { #expect(try tally.upload(frame) == .taken) }
        #expect(try tally.upload(tally.frame(.number(4), key)) == .refused(.repeated))
        // Two devices that work together, with one number.
        let made = try tally.task.scheme.shard(.number(2))
        #expect(try tally.upload(tally.frame(made)) == .taken)
        #expect(try tally.upload(tally.frame(made)) == .refused(.nonce))
        // Another's shares under one's own name.
        #expect(try tally.upload(signedAnew(frame, other)) == .refused(.share))
        #expect(try tally.result().sums == [5])
    }

    /// A report under another device's name, by the wire's own description.
    private func signedAnew(_ frame: Data, _ key: Curve25519.Signing.PrivateKey) throws -> Data {
        let report = try TallyReport(reading: frame)
        guard case .sealed(let leader) = report.leaderPart else { throw FrameError.message }
        func hash(_ bytes: Data) -> Data { Data(SHA256.hash(data: bytes)) }
        let device = key.publicKey.rawRepresentation
        let signed =
            Data("parley tally report 1\n".utf8) + report.task + device + Data(report.nonce.bytes)
            + hash(report.publicShare) + hash(leader.bytes) + hash(report.helperPart.bytes)
        return frame.prefix(36) + device + (try TallyFixture.certificate(key)) + Data(report.nonce.bytes)
            + (try key.signature(for: signed)) + frame.dropFirst(212)
    }

    @Test(
        "Frames of another task, of strangers, changed, cut or of absurd sizes are refused before anything is decrypted"
    )
    func frames() throws {
        var tally = try TallyFixture(Self.sums)
        var other = Self.sums
        other.name = "another"
        let foreign = try TallyFixture(other)
        #expect(throws: FrameError.run) { try tally.upload(foreign.frame(.number(1))) }
        let stranger = Curve25519.Signing.PrivateKey()
        var device = try TallyDevice(plan: tally.task.plan, key: stranger)
        let unsigned = try device.report(.number(1))
        #expect(throws: FrameError.sender) { try tally.upload(unsigned) }
        let frame = try tally.frame(.number(1))
        for place in stride(from: 0, to: frame.count, by: 7) {
            var changed = frame
            changed[place] ^= 0x40
            #expect(throws: FrameError.self, "\(place)") { try tally.upload(changed) }
        }
        for length in [0, 3, 4, 100, 223, 224, frame.count - 1] {
            #expect(throws: FrameError.self) { try tally.upload(frame.prefix(length)) }
        }
        #expect(throws: FrameError.self) { try tally.upload(frame + Data(count: 1 << 20)) }
        var absurd = frame
        for place in 212..<224 { absurd[place] = 0xff }
        #expect(throws: FrameError.self) { try tally.upload(absurd) }
        #expect(tally.leader.taken == 0)
        #expect(throws: FrameError.self) { try tally.helping.job(frame) }
        #expect(throws: FrameError.self) { try tally.leading.readQuestion(frame) }
    }

    @Test("A leader that lies gets no sum of few, of others, or a second one, and counts no device twice")
    func leader() throws {
        var tally = try TallyFixture(TallyFixture.plan(.sum(maximum: 5), least: 3))
        let key = Curve25519.Signing.PrivateKey()
        let frames = try [tally.frame(.number(1), key)] + (0..<4).map { _ in try tally.frame(.number(2)) }
        for frame in frames { _ = try tally.upload(frame) }
        let whole = tally.leader
        /// What the helper says to a leader who has these reports alone.
        func ask(_ places: [Int], _ change: (inout TallyJob.Entry) -> Void = { _ in }) throws -> [TallyRefusal?] {
            guard case .verify(let pending) = whole.next(most: 10) else { return [] }
            guard case .aggregate(var entries) = tally.leading.aggregation(.verify(places.map { pending[$0] })).job
            else { return [] }
            for place in entries.indices { change(&entries[place]) }
            let job = try TallyFrame.signed(TallyJob.aggregate(entries), .job, tally.task, by: TallyFixture.leaderKey)
            guard case .outcomes(let outcomes) = try tally.leading.reply(try tally.answer(job), to: job) else {
                return []
            }
            return outcomes
        }
        func collect(_ reports: Data) throws -> TallyJobReply {
            let job = try TallyFrame.signed(
                TallyJob.collect(reports: reports), .job, tally.task, by: TallyFixture.leaderKey)
            return try tally.leading.reply(try tally.answer(job), to: job)
        }
        func digest(_ places: [Int]) throws -> Data {
            var leader = whole
            try leader.conclude(
                (0..<5).map { places.contains($0) ? nil : .proof }, by: tally.leading)
            leader.close(at: 1e9)
            guard case .collect(let reports) = leader.next(most: 1) else { return Data() }
            return reports
        }
        #expect(try ask([0, 0, 0]) == [nil, nil, nil])
        #expect(tally.helper.counted == 1)
        // A batch of one.
        #expect(try collect(digest([0])) == .refused(.few))
        // Another nonce, another device, another task, and no report at all: nothing that its device did not sign.
        for place in [5, 40, 70, 140, 150, 260] {
            #expect(try ask([1]) { $0.report[place] ^= 1 } == [.signature])
        }
        #expect(try ask([1]) { $0.report = Data() } == [.signature])
        #expect(try ask([1]) { $0.report = Data(count: 1 << 20) } == [.signature])
        // Another report of a device that has one.
        var second = try TallyFixture(tally.task.plan)
        _ = try second.upload(second.frame(.number(5), key))
        guard case .verify(let again) = second.leader.next(most: 1) else { return #expect(Bool(false)) }
        let twice = try tally.leading.frame(tally.leading.aggregation(.verify(again)))
        #expect(try tally.leading.reply(try tally.answer(twice), to: twice) == .outcomes([.repeated]))
        // Verifier shares that are none, or of another length; and what the leader itself would not take.
        #expect(try ask([1]) { $0.verifierShare[0] ^= 1 } == [.proof])
        #expect(try ask([2]) { $0.verifierShare = Data(count: 3) } == [.proof])
        #expect(try ask([3]) { $0.expected += Data([1]) } == [.proof])
        #expect(try ask([1, 4]) == [.proof, nil])
        #expect(try collect(digest([0, 4])) == .refused(.few))
        #expect(tally.helper.counted == 2 && tally.helper.dropped == 3)
    }

    @Test("A batch that was given is given again as it was, and takes nothing more")
    func twice() throws {
        var tally = try TallyFixture(Self.sums)
        for _ in 0..<3 { _ = try tally.upload(tally.frame(.number(2))) }
        let late = try tally.frame(.number(2))
        let before = tally.leader
        while tally.leader.waiting > 0 { try tally.exchange() }
        tally.leader.close(at: 100)
        let job = try tally.leading.frame(tally.leading.aggregation(try #require(tally.leader.next(most: 1))))
        let first = try tally.leading.reply(try tally.answer(job), to: job)
        let again = try tally.leading.reply(try tally.answer(job), to: job)
        #expect(first == again)
        let other = try TallyFrame.signed(
            TallyJob.collect(reports: Data(count: 32)), .job, tally.task, by: TallyFixture.leaderKey)
        #expect(try tally.leading.reply(try tally.answer(other), to: other) == .refused(.others))
        // A leader that goes back, and has one report more.
        tally.leader = before
        _ = try tally.upload(late)
        guard case .verify(let pending) = tally.leader.next(most: 9) else { return #expect(Bool(false)) }
        let more = try tally.leading.frame(tally.leading.aggregation(.verify(pending)))
        #expect(try tally.leading.reply(try tally.answer(more), to: more) == .outcomes([nil, nil, nil, .closed]))
    }

    @Test("Jobs that the leader did not sign, and replies that the helper did not, are refused")
    func signatures() throws {
        var tally = try TallyFixture(Self.sums)
        for _ in 0..<2 { _ = try tally.upload(tally.frame(.number(2))) }
        let aggregation = tally.leading.aggregation(try #require(tally.leader.next(most: 9)))
        let job = try tally.leading.frame(aggregation)
        let forged = try TallyFrame.signed(
            aggregation.job, .job, tally.task, by: TallyFixture.collectorKey)
        #expect(throws: FrameError.sender) { try tally.helping.job(forged) }
        let reply = try tally.answer(job)
        #expect(throws: FrameError.sender) { try tally.leading.reply(reply, to: job + Data([1])) }
        #expect(throws: FrameError.self) { try tally.leading.reply(job, to: job) }
        let lie = try TallyFrame.signed(
            TallyJobReply.outcomes([nil, nil]), .jobReply, tally.task, to: job, by: TallyFixture.collectorKey)
        #expect(throws: FrameError.sender) { try tally.leading.reply(lie, to: job) }
        // More or fewer outcomes than reports.
        #expect(aggregation.outcomes([nil]) == nil && aggregation.outcomes([nil, nil, nil]) == nil)
        // A device is told by the leader alone that its report is taken.
        var device = try tally.device()
        let report = try device.report(.number(1))
        let answer = try TallyFrame.signed(
            TallyReply.taken, .reply, tally.task, to: report, by: TallyFixture.helperKey)
        #expect(throws: FrameError.sender) { try device.take(answer) }
        let elsewhere = try tally.leading.frame(.taken, to: job)
        #expect(throws: FrameError.sender) { try device.take(elsewhere) }
        #expect(!device.state.isTaken)
        #expect(try device.take(try tally.leading.frame(.taken, to: report)) == nil)
        #expect(device.state.isTaken)
    }

    @Test(
        "A helper that lies of its batch gets no sum out of an honest leader; of its sum the collector learns that it is none"
    )
    func helper() throws {
        var tally = try TallyFixture(Self.sums)
        for _ in 0..<3 { _ = try tally.upload(tally.frame(.number(2))) }
        while tally.leader.waiting > 0 { try tally.exchange() }
        tally.leader.close(at: 100)
        guard case .collect(let reports) = tally.leader.next(most: 1) else { return #expect(Bool(false)) }
        let share = Data([UInt8](repeating: 9, count: 8))
        func aggregate(_ role: TallyRole, _ count: Int, _ reports: Data, _ key: TallyKey) throws -> TallyAggregate {
            try TallyAggregate(share, task: tally.task, role: role, count: count, reports: reports, key: key)
        }
        let helperKey = TallyFixture.helperKey
        for lie in try [
            aggregate(.helper, 2, reports, helperKey), aggregate(.helper, 3, Data(count: 32), helperKey),
            aggregate(.leader, 3, reports, helperKey), aggregate(.helper, 3, reports, TallyFixture.collectorKey),
        ] {
            var leader = tally.leader
            #expect(throws: TallyRefusal.others) {
                try leader.collect(lie, by: tally.leading)
            }
            #expect(leader.stage == .closed)
        }
        // A sum that is none: 8 bytes of an element that no three reports come to.
        try tally.leader.collect(aggregate(.helper, 3, reports, helperKey), by: tally.leading)
        #expect(throws: FederationError.self) { try tally.finish() }
    }

    @Test("The sums open for the collector alone, and each in its own place")
    func collector() throws {
        var tally = try TallyFixture(Self.sums)
        for _ in 0..<3 { _ = try tally.upload(tally.frame(.number(2))) }
        _ = try tally.result()
        guard case .collected(let leader, let helper) = tally.leader.stage else { return #expect(Bool(false)) }
        for key in [TallyFixture.leaderKey, TallyFixture.helperKey, TallyKey()] {
            #expect(leader.opened(tally.task, key) == nil && helper.opened(tally.task, key) == nil)
        }
        let question = try tally.collector.question()
        for reply in [
            TallyReply.result(leader: helper, helper: leader), .result(leader: leader, helper: leader), .taken,
        ] {
            let frame = try tally.leading.frame(reply, to: question)
            #expect(throws: (any Error).self) { try tally.collector.take(frame) }
        }
        #expect(throws: FederationError.self) { try TallyCollector(tally.task, key: TallyFixture.helperKey) }
    }
}
