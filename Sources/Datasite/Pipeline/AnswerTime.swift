import DatasiteProtocol
import DifferentialPrivacy
import Governance
import Query
import Tables

/// How long answers take, in words. It follows from plan, declared capacity and the site's speed alone (docs/privacy.md, rule
/// 26), so that it may be said to all: whoever declares a capacity, and whoever waits, should know it beforehand.
enum AnswerTime {
    /// What nobody notices is not worth a note.
    private static let noticed: Duration = .milliseconds(100)

    /// Of a question: nothing where the answer comes at once.
    static func note(_ slot: TimeSlot, _ entries: [Catalogue.Entry]) -> [String] {
        guard slot.length >= noticed else { return [] }
        let capacities = entries.map { rows($0.manifest.capacityRows) }.joined(separator: " and of ")
        return [
            "The answer takes \(words(slot.length)): the time follows the declared capacity of \(capacities), not how many rows there "
                + "are. Declared bounds and domains of keys, and shorter texts, make it less."
        ]
    }

    /// Of a table that was added; nil where it cannot be counted.
    static func note(_ manifest: Manifest, _ slot: (PlanBound) -> TimeSlot) -> String? {
        let description = DatasetDescription(
            name: manifest.name, schema: manifest.schema, unit: manifest.unit, capacityRows: manifest.capacityRows,
            capacityUnits: manifest.capacityUnits, population: manifest.population)
        return ofCount(description, slot).map {
            "A count takes \(words($0)) to answer, other questions longer: the time follows the declared capacity of "
                + "\(rows(manifest.capacityRows)), not the rows."
        }
    }

    /// For the draft of a manifest: on a machine that nobody measured.
    static var draft: [String] {
        let times = [1_000_000, 10_000_000].compactMap { capacity -> String? in
            let schema = Schema(columns: [ColumnSchema(name: "unit", type: .integer)])
            let description = DatasetDescription(
                name: "drafted", schema: schema, unit: UnitDeclaration(column: 0, rowsPerUnit: 1, groupsPerUnit: 1),
                capacityRows: capacity, population: "drafted")
            let length = ofCount(description) { TimeSlot(bound: ScanLimits.reference.time($0)) }
            return length.map { "\(words($0)) at a capacity of \(rows(capacity))" }
        }
        return [
            "# Answers take the time of a table that full, whatever it holds, so that their time says nothing of it: a count takes",
            "# about \(times.joined(separator: ", and ")).",
            "# Declare what the table may come to hold, and not much more.",
        ]
    }

    private static func ofCount(_ description: DatasetDescription, _ slot: (PlanBound) -> TimeSlot) -> Duration? {
        let context = PlanningContext(
            datasets: [description],
            regime: LossRegime(kind: .pure, conversionDelta: 0, selectionDelta: 0, total: 1))
        let question = Question(sql: "SELECT COUNT(*) FROM \(SQLName.written(description.name))", budget: .epsilon(1))
        return (try? Planner.plan(question, in: context)).map { slot($0.bound).length }
    }

    static func words(_ length: Duration) -> String {
        let milliseconds = length / .milliseconds(1)
        if milliseconds < 100 { return "\(ShortNumber.text(milliseconds.rounded())) ms" }
        let step = milliseconds < 1_000 ? 0.01 : milliseconds < 20_000 ? 0.1 : 1
        return "\(ShortNumber.text((milliseconds / 1_000 / step).rounded() * step)) s"
    }

    private static func rows(_ count: Int) -> String {
        var digits = String(count)
        var groups: [String] = []
        while digits.count > 3 {
            groups.insert(String(digits.suffix(3)), at: 0)
            digits.removeLast(3)
        }
        return ([digits] + groups).joined(separator: ",") + " row" + (count == 1 ? "" : "s")
    }
}
