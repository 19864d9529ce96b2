import DatasiteProtocol
import DifferentialPrivacy
import Secrets
import Tables

@testable import Query

/// From a question's text to its answer on rows that keep no promise. The first byte chooses the policy and the bounds.
enum SQLTarget {
    private static let bounds = AuditedTable.Bounds(rows: 4, groups: 3)
    private static let regimes = [
        LossRegime(kind: .zeroConcentrated, conversionDelta: 1e-6, selectionDelta: 1e-3, total: 100),
        LossRegime(kind: .pure, conversionDelta: 0, selectionDelta: 0, total: 100),
        LossRegime(kind: .renyi, conversionDelta: 1e-6, selectionDelta: 1e-3, total: 100),
    ]
    private static let tables: [Table] = {
        var random = SeededGenerator(seed: 9)
        return (0..<2).compactMap { _ in
            let units = (0..<4).map { AuditedTable.rows($0, bounds, &random) }
            return try? AuditedTable.table(units, bounds, &random)
        }
    }()
    private static let lookup = try? AuditedTable.lookupTable()
    /// Answers with more cells than this are planned and not computed: a fuzzer wants many runs.
    private static let largestAnswer = 2_000

    static func violations(_ input: [UInt8]) -> [String] {
        guard let first = input.first else { return [] }
        let text = String(decoding: input.dropFirst(), as: UTF8.self)
        let regime = regimes[first & 32 == 0 ? Int(first & 1) : 2]
        let budget: Budget =
            first & 2 == 0 ? .epsilon(1) : first & 4 == 0 ? .rho(0.5) : .error(relative: 0.1, groupSize: 50)
        let question = Question(
            sql: text, budget: budget, groupsPerUnit: first & 8 == 0 ? nil : 2, rowsPerGroup: first & 16 == 0 ? nil : 1)
        let context = PlanningContext(
            datasets: ["left_table", "right_table"].map { AuditedTable.description($0, bounds) },
            lookups: [AuditedTable.lookup], regime: regime)
        do throws(QueryError) {
            return violations(try Planner.plan(question, in: context), of: question, regime)
        } catch {
            return violations(error, in: text)
        }
    }

    private static func violations(_ error: QueryError, in text: String) -> [String] {
        if error.message.isEmpty { return ["an error without words"] }
        if error.message.utf8.count > 2_000 { return ["an error of \(error.message.utf8.count) bytes"] }
        if error.position != nil, error.location(in: text) == nil { return ["an error outside the text"] }
        return []
    }

    private static func violations(_ plan: Plan, of question: Question, _ regime: LossRegime) -> [String] {
        var found: [String] = []
        if plan.charge.kind != regime.kind { found.append("the charge is in another unit of loss") }
        if plan.charge.amount <= 0 || plan.charge.delta < 0 { found.append("a charge of nothing") }
        if case .epsilon(let epsilon) = question.budget, regime.kind == .pure,
            Double(plan.charge.amount) * PrivacyLoss.amountUnit > epsilon
        {
            found.append("the charge is above what was asked")
        }
        guard let covered = try? PrivacyEvent.composition(plan.events).loss(kind: plan.charge.kind),
            covered.isCovered(by: plan.charge)
        else { return found + ["the events are not covered by the charge"] }
        guard (plan.groups ?? 1) * max(1, plan.specification.measures.count) <= largestAnswer else { return found }
        return found + answerViolations(plan)
    }

    private static func answerViolations(_ plan: Plan) -> [String] {
        let source: RowSource =
            plan.datasets.count == 1
            ? .table(tables[0])
            : .join(tables[0], tables[1], leftRows: plan.rowsPerUnit[0], rightRows: plan.rowsPerUnit[1])
        var random = SeededGenerator(seed: 1)
        let measured = plan.measure(source, lookups: plan.lookups.compactMap { _ in lookup }, using: &random)
        let answer = measured.answer
        var found: [String] = []
        if measured.events != plan.events { found.append("other events than planned") }
        if answer.rows.contains(where: { $0.count != answer.columns.count }) { found.append("a row of another width") }
        for cell in answer.rows.flatMap(\.self) {
            if case .real(let value) = cell.value, !value.isFinite { found.append("a value that is no number") }
        }
        return found
    }
}
