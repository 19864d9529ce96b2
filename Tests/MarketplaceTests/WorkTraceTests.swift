import Testing

@testable import Marketplace

@Suite("Computation that is checked by a step")
struct WorkTraceTests {
    /// A state is the digest of the one before: step by step.
    private static func honest(_ steps: Int) -> [Digest256] {
        var states = [hashed("begin")]
        for _ in 0..<steps { states.append(step(states[states.count - 1])) }
        return states
    }

    private static func step(_ state: Digest256) -> Digest256 { .sha256(state.bytes) }

    /// Of a provider that goes wrong at a step and goes on rightly from there.
    private static func wrong(_ steps: Int, at place: Int) -> [Digest256] {
        var states = Array(honest(steps).prefix(place + 1))
        states.append(hashed("made up"))
        while states.count <= steps { states.append(step(states[states.count - 1])) }
        return states
    }

    private func trace(_ states: [Digest256]) throws -> WorkTrace { try #require(WorkTrace(states: states)) }

    /// Plays a dispute to its end; the referee executes right.
    private func played(
        _ provider: WorkTrace, _ accuser: WorkTrace, steps: Int
    ) -> (isRefuted: Bool, questions: Int, executed: [Int]) {
        var dispute = WorkDispute(
            steps: steps, begin: hashed("begin"), provider: provider.root, accuser: accuser.root)
        var executed: [Int] = []
        for _ in 0..<100 {
            switch dispute.turn {
            case .ask(let place):
                dispute.take(provider: provider.opened(at: place), accuser: accuser.opened(at: place))
            case .execute(let step, let state):
                executed.append(step)
                dispute.executed(Self.step(state))
            case .over(let isRefuted): return (isRefuted, dispute.questions, executed)
            }
        }
        Issue.record("no end")
        return (false, 0, [])
    }

    @Test(
        "A wrong step is found wherever it is, by one execution and log2 of the steps' questions",
        arguments: [1, 2, 3, 37, 64])
    func everyStep(steps: Int) throws {
        let honest = try trace(Self.honest(steps))
        for place in 0..<steps {
            let wrong = try trace(Self.wrong(steps, at: place))
            let found = played(wrong, honest, steps: steps)
            #expect(found.isRefuted && found.executed == [place])
            #expect(found.questions <= 1 + Int.bitWidth - (steps - 1).leadingZeroBitCount)
            // Who is right stands against whoever is wrong.
            let kept = played(honest, wrong, steps: steps)
            #expect(!kept.isRefuted && kept.executed == [place])
        }
    }

    @Test("Two wrong traces: the provider's is refuted where its first wrong step is the earlier one, or the same")
    func bothWrong() throws {
        let (early, late) = try (trace(Self.wrong(20, at: 4)), trace(Self.wrong(20, at: 9)))
        #expect(played(early, late, steps: 20).isRefuted)
        #expect(!played(late, early, steps: 20).isRefuted)
    }

    @Test(
        "Who shows nothing, another place, another trace's state or a damaged path has lost; equal ends are no dispute")
    func silent() throws {
        let (honest, wrong) = try (trace(Self.honest(8)), trace(Self.wrong(8, at: 2)))
        func dispute() -> WorkDispute {
            WorkDispute(steps: 8, begin: hashed("begin"), provider: honest.root, accuser: wrong.root)
        }
        let right = try #require(honest.opened(at: 8))
        let others: [OpenedState?] = [
            nil, honest.opened(at: 7), wrong.opened(at: 8),
            OpenedState(place: 8, state: right.state, path: right.path.dropLast() + [hashed("other")]),
            OpenedState(place: -1, state: right.state, path: right.path),
            OpenedState(place: 8, state: right.state, path: Array(repeating: right.state, count: 40)),
        ]
        for other in others {
            var one = dispute()
            one.take(provider: other, accuser: wrong.opened(at: 8))
            #expect(one.turn == .over(isRefuted: true))
            var two = dispute()
            two.take(provider: right, accuser: other == wrong.opened(at: 8) ? honest.opened(at: 8) : other)
            #expect(two.turn == .over(isRefuted: false))
        }
        var equal = WorkDispute(steps: 8, begin: hashed("begin"), provider: honest.root, accuser: honest.root)
        #expect(equal.turn == .over(isRefuted: false))
        equal.executed(hashed("x"))
        equal.take(provider: nil, accuser: nil)
        #expect(equal.turn == .over(isRefuted: false) && equal.questions == 0)
        // Two roots, one end: in between is nothing that is paid for.
        var same = Self.honest(8)
        same[3] = hashed("other")
        let between = try trace(same)
        var ends = WorkDispute(steps: 8, begin: hashed("begin"), provider: between.root, accuser: honest.root)
        ends.take(provider: between.opened(at: 8), accuser: honest.opened(at: 8))
        #expect(ends.turn == .over(isRefuted: false))
    }

    @Test("Audited steps are different, within the work, and follow from receipt and checkpoint alone")
    func audit() throws {
        let (receipt, checkpoint) = (hashed("receipt"), hashed("checkpoint"))
        let drawn = WorkTrace.audit(5, of: 1_000, receipt: receipt, checkpoint: checkpoint)
        #expect(drawn.count == 5 && Set(drawn).count == 5 && drawn.allSatisfy { (0..<1_000).contains($0) })
        #expect(WorkTrace.audit(5, of: 1_000, receipt: receipt, checkpoint: checkpoint) == drawn)
        #expect(WorkTrace.audit(5, of: 1_000, receipt: checkpoint, checkpoint: receipt) != drawn)
        #expect(WorkTrace.audit(9, of: 3, receipt: receipt, checkpoint: checkpoint) == [0, 1, 2])
        #expect(WorkTrace(states: []) == nil && WorkTrace(states: [receipt]) == nil)
        // A tenth of the steps is wrong: ten draws miss it with probability .347. Bounds of 200 trials at a false-alarm rate of 1e-6.
        let missed = (0..<200).count { number in
            WorkTrace.audit(10, of: 1_000, receipt: hashed("\(number)"), checkpoint: checkpoint).allSatisfy {
                $0 >= 100
            }
        }
        #expect((38...103).contains(missed), "\(missed)")
    }
}
