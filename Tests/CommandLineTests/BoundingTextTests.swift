import DatasiteProtocol
import Testing

@testable import parley

@Suite("What bounding left out stands below the values")
struct BoundingTextTests {
    private func pair(_ cut: Double, _ share: (Double, Double, Double)) -> Answer.Bounding.Pair {
        .init(
            cut: .init(value: .integer(Int64(cut)), lower: .real(cut - 100), upper: .real(cut + 100)),
            kept: .init(value: .integer(9_000), lower: .real(8_900), upper: .real(9_100)),
            share: .init(value: .real(share.0), lower: .real(share.1), upper: .real(share.2)))
    }

    private func text(_ bounding: Answer.Bounding?, flags: [String]? = nil) -> BoundingText {
        BoundingText(
            Answer(
                request: "r", dataset: "d", version: "v", sql: "s", charge: Loss(kind: "pure", epsilon: 1),
                columns: [.init(name: "n", type: "integer", isKey: false)],
                rows: [[.init(value: .integer(1), flags: flags)]], bounding: bounding, notes: [],
                guarantees: Guarantees(
                    inputPrivacy: "", outputPrivacy: "", inputVerification: "", outputVerification: "",
                    flowGovernance: ""), mock: false))
    }

    @Test("Shares that are clearly there are never left away, those that are not are remarks")
    func lines() {
        let scan = Answer.Bounding(units: pair(900, (0.1, 0.09, 0.11)), rows: pair(585, (0.061, 0.059, 0.063)))
        #expect(
            text(scan).material == [
                "Bounding left out 6.10 % (5.90 to 6.30 %) of rows, of 10.0 % (9.0 to 11.0 %) of units."
            ])
        let noise = Answer.Bounding(units: pair(50, (0.005, 0, 0.02)), dropped: pair(90, (0.009, 0, 0.019)))
        #expect(text(noise).material.isEmpty && text(noise).slight.count == 1)
        let dropped = text(.init(dropped: pair(400, (0.043, 0.032, 0.054)))).material
        #expect(dropped.count == 1 && dropped[0].contains("4.3 % (3.2 to 5.4 %) or more of its rows were dropped"))
        #expect(
            dropped[0].contains("the table was added")
                && dropped[0].contains("no more count as dropped than it may have"))
        let joined = text(.init(dropped: pair(400, (0.043, 0.032, 0.054)), droppedFrom: ["visits", "clinics"])).material
        #expect(
            joined.count == 1 && joined[0].hasPrefix("When visits and clinics were added, 4.3 %")
                && joined[0].contains("of their rows together"))
        // Little, but clearly there: a line where a value is flagged for it.
        let little = Answer.Bounding(dropped: pair(400, (0.0005, 0.0004, 0.0006)))
        #expect(text(little).material.isEmpty && text(little, flags: ["bounded"]).material.count == 1)
        #expect(text(nil).material.isEmpty && text(nil).slight.isEmpty)
    }
}
