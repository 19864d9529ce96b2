import Foundation
import Testing

/// The server, and the owner's commands beside it, are killed without warning while questions, decisions and changes of
/// datasets are in flight (docs/privacy.md, rules 7 to 9). `make test` kills 20 times; `make faults` sets `PARLEY_FAULTS` to
/// 1,000.
@Suite("Kills under load")
struct FaultTests {
    static let kills = ProcessInfo.processInfo.environment["PARLEY_FAULTS"].flatMap { Int($0) } ?? 20
    /// A new site after so many kills: so that what is checked after each of them stays small.
    private static let killsPerSite = 25

    @Test("After each kill no answer is without its charge, and nothing that was acknowledged is lost")
    func kills() async throws {
        let start = ContinuousClock.now
        var total = FaultCounts()
        while total.kills < Self.kills {
            let site = try FaultSite(seed: UInt64(total.kills))
            let counts = try await site.run(kills: min(Self.killsPerSite, Self.kills - total.kills))
            total.add(counts)
            if Self.kills > 20 { print("\(total.kills) of \(Self.kills) kills: \(total.words)", terminator: "\n") }
        }
        #expect(total.answers > 0 && total.completed > 0, "no kill met a question in flight: the test shows nothing")
        #expect(total.decisions > 0 && total.changes > 0, "no decision or no change of a dataset was under way")
        print("\(total.kills) kills in \(start.duration(to: .now)): \(total.words); nothing lost, nothing uncharged")
    }
}

/// What happened, for the summary.
struct FaultCounts {
    var kills = 0
    /// Answers whose bytes had arrived before a kill.
    var answers = 0
    /// Questions that a kill cut short, and that the same key completed.
    var completed = 0
    /// Questions that were charged, and whose dataset had gone before they could be completed.
    var overtaken = 0
    var decisions = 0
    /// Changes of datasets that were acknowledged.
    var changes = 0
    /// Changes of datasets that a kill cut short.
    var cutShort = 0

    mutating func add(_ other: FaultCounts) {
        kills += other.kills
        answers += other.answers
        completed += other.completed
        overtaken += other.overtaken
        decisions += other.decisions
        changes += other.changes
        cutShort += other.cutShort
    }

    var words: String {
        "\(answers) answers, \(completed) completed and \(overtaken) overtaken after a kill, \(decisions) decisions, "
            + "\(changes) changes of datasets, \(cutShort) more cut short"
    }
}
