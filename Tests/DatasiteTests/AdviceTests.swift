import DatasiteProtocol
import Foundation
import Testing

@testable import Datasite

@Suite("What bounds would cut and cost, weighed for the owner before she declares them", .serialized)
struct AdviceTests {
    let folder = IngestFolder()

    /// Ten people with one visit of 10 to 100 minutes, and one with ten in five wards, of 10 minutes each but one of 1000.
    private func visits() throws -> String {
        var text = "patient,ward,minutes,w\n"
        for person in 0..<10 { text += "p\(person),a,\(10 * (person + 1)),1\n" }
        for visit in 0..<10 {
            text += "q,\(["a", "b", "c", "d", "e"][visit % 5]),\(visit == 0 ? 1_000 : 10),\(visit == 0 ? 50 : 1)\n"
        }
        return try folder.write("visits.csv", text)
    }

    private static let draft = """
        name: visits
        title: SET
        description: SET
        population: SET
        unit: {column: patient, rows: SET, groups: SET}
        capacity: {rows: SET, units: SET}
        weight: w
        policy: {loss: pure, total: {epsilon: SET}, per-researcher: {epsilon: SET}, approval: automatic}
        columns:
          - {name: patient, type: text, nullable: true, description: SET}
          - {name: ward, type: text, domain: [SET], description: SET}
          - {name: minutes, type: real, bounds: [SET, SET], description: SET}
          - {name: w, type: real, bounds: [SET, SET], description: SET}
        """

    private func choice(_ advice: Advice, _ kind: Advice.Choice.Kind) throws -> Advice.Choice {
        try #require(advice.choices.first { $0.kind == kind })
    }

    @Test("Cut, bias and noise are those worked out by hand, from a draft in which the unit alone is set")
    func byHand() throws {
        let advice = try Datasite.advise(on: visits(), manifestText: Self.draft, groupSize: 10, epsilon: 1)
        #expect(advice.rows == 20 && advice.units == 11 && advice.groupSize == 10)
        // Of eleven units one has ten rows: more than 1 % of them.
        #expect(advice.unitRows == 10 && !advice.isUnitRowsDeclared)
        let declared = Self.draft.replacing("rows: SET, groups: SET}\n", with: "rows: 4, groups: SET}\n")
        let told = try Datasite.advise(on: visits(), manifestText: declared, groupSize: 10, epsilon: 1)
        #expect(told.unitRows == 4 && told.isUnitRowsDeclared)
        let (ours, theirs) = (try choice(advice, .numbers).candidates[0], try choice(told, .numbers).candidates[0])
        #expect(abs(ours.noise / theirs.noise - 2.5) < 1e-9)
        let rows = try choice(advice, .rows)
        #expect(rows.quantiles == [1, 1, 10, 10, 10] && rows.declared == nil && rows.column == nil)
        // Of 20 rows a bound of 1 cuts 9; the interval of Laplace noise of scale 1 reaches ln 20.
        let tight = rows.candidates[0]
        #expect(tight.bounds == [1] && tight.cut == 0.45 && tight.bias == 0.45)
        #expect(abs(tight.noise - log(20) / 10) < 1e-12)
        let wide = try #require(rows.candidates.last)
        #expect(wide.bounds == [10] && wide.cut == 0 && abs(wide.noise - log(20)) < 1e-12)
        let groups = try choice(advice, .groups)
        // 15 pairs of a person and a ward, of which the one person has five.
        #expect(groups.column == "ward" && groups.candidates.map(\.bounds) == [[1], [2], [3], [4], [5]])
        #expect(groups.candidates.map { ($0.cut * 15).rounded() } == [4, 3, 2, 1, 0])
        #expect(abs(groups.candidates[3].noise / groups.candidates[0].noise - 2) < 1e-12)
        let minutes = try choice(advice, .numbers)
        let clipping = try #require(minutes.candidates.first)
        #expect(clipping.bounds == [10, 90] && clipping.cut == 0.1)
        #expect(abs(clipping.bias - 46) < 1e-9)
        #expect(minutes.candidates.last?.bounds[1] == 1_000 && minutes.candidates.last?.bias == 0)
        let weights = try choice(advice, .weights)
        #expect(weights.column == "w" && weights.candidates.last?.bias == 0)
        for choice in advice.choices {
            let least = choice.candidates.map(\.error).min()
            #expect(choice.candidates[choice.suggested].error == least)
            #expect(zip(choice.candidates, choice.candidates.dropFirst()).allSatisfy { $0.cut >= $1.cut })
        }
    }

    @Test("What a manifest declares is weighed beside what it could, and values outside its domain are counted")
    func declared() throws {
        let manifest = Self.draft
            .replacing("{column: patient, rows: SET, groups: SET}", with: "{column: patient, rows: 4, groups: 2}")
            .replacing("domain: [SET]", with: "domain: [a, b]")
            .replacing("minutes, type: real, bounds: [SET, SET]", with: "minutes, type: real, bounds: [0, 100]")
            .replacing(": SET", with: ": words")
        let text = manifest.replacing("{rows: words, units: words}", with: "{rows: 1, units: 1}")
            .replacing("{epsilon: words}", with: "{epsilon: 3}").replacing("[SET, SET]", with: "[0, 60]")
        let advice = try Datasite.advise(on: visits(), manifestText: text, groupSize: 10)
        #expect(try choice(advice, .rows).declared?.cut == 0.3)
        #expect(try choice(advice, .groups).declared?.bounds == [2])
        #expect(try choice(advice, .numbers).declared?.bounds == [0, 100])
        #expect(advice.outsideDomain == ["ward": 0.3])
    }

    @Test(
        "A lookup table, a draft without its unit, and an empty file are refused with the next step; no row is left behind"
    )
    func refused() throws {
        func refusal(_ file: String, _ text: String) -> String {
            do {
                _ = try Datasite.advise(on: file, manifestText: text)
                return "nothing"
            } catch let problem as Problem { return problem.detail + (problem.hint ?? "") } catch { return "\(error)" }
        }
        let file = try visits()
        let before = try Self.workingFolders()
        #expect(refusal(file, "kind: lookup\n" + Self.draft).contains("needs no bounds"))
        let unset = Self.draft.replacing("column: patient", with: "column: SET")
        #expect(refusal(file, unset).contains("unit: {column: NAME}"))
        #expect(refusal(try folder.write("e.csv", "patient,ward,minutes,w\n"), Self.draft).contains("no rows"))
        #expect(refusal(file, "name: [").contains("line"))
        #expect(refusal(folder.path("absent"), Self.draft).contains("cannot read"))
        #expect(try Self.workingFolders().subtracting(before).isEmpty)
    }

    /// Where rows lie while they are weighed; the suite is serialised, so that no other test makes one.
    private static func workingFolders() throws -> Set<String> {
        let folder = FileManager.default.temporaryDirectory.path
        return Set(
            try FileManager.default.contentsOfDirectory(atPath: folder).filter { $0.hasPrefix("parley-advise-") })
    }

    @Test("Bounds are round, outside the values, and whole where the values are few whole ones")
    func round() {
        #expect(RoundNumbers.above(0.123) == 0.15 && RoundNumbers.below(0.123) == 0.12)
        #expect(RoundNumbers.above(-0.123) == -0.12 && RoundNumbers.below(-1_234) == -1_500)
        #expect(RoundNumbers.above(67) == 67 && RoundNumbers.above(67.5) == 70 && RoundNumbers.above(0) == 0)
        #expect(RoundNumbers.above(1_490_400) == 1_500_000 && RoundNumbers.below(12_285) == 12_000)
        #expect(RoundNumbers.between(1, 10) == [1, 2, 3, 4, 5, 6, 7, 8, 9, 10])
        #expect(RoundNumbers.between(8, 21) == [8, 9, 10, 12, 15, 18, 20, 25])
        for value in stride(from: -7.3, to: 7.3, by: 0.37) {
            #expect(RoundNumbers.below(value) <= value && RoundNumbers.above(value) >= value)
        }
    }

    @Test("Whoever adds a table hears how rows and groups lie in units, beside the bounds")
    func facts() throws {
        let test = try TestSite()
        let text = Self.draft.replacing("name: visits", with: "name: other")
            // All ten rows stay: of fewer, which wards they have would be drawn by lot.
            .replacing("rows: SET, groups: SET", with: "rows: 10, groups: 2").replacing(
                "rows: SET, units: SET", with: "rows: 50, units: 50"
            )
            .replacing("epsilon: SET", with: "epsilon: 3").replacing("[SET, SET]", with: "[0, 60]")
            .replacing("domain: [SET]", with: "domain: [a, b, c, d, e]").replacing(": SET", with: ": words")
        let report = try test.site.addDataset(file: visits(), manifestText: text)
        #expect(report.facts.first == "rows of a unit, at most 10: half of the units have at most 1, 90 % 1, 99 % 10")
        try #require(report.facts.count == 2)
        #expect(report.facts[1].hasPrefix("groups of a unit by ward, of which 2 count: "))
        #expect(report.facts[1].hasSuffix("1 unit (9.1 %) has more"))
    }
}
