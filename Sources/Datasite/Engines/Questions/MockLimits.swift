import DatasiteProtocol
import Governance
import Query
import Tables

/// What a mock answer may take. It is free, and there to try a question before it is asked: so it is small, whatever the
/// question itself may take.
struct MockLimits: Sendable {
    /// The most cells that a mock answer may have: a quarter of a second's writing, and some MB.
    var cells = 50_000.0
    /// The most that it may be bound to compute, in seconds; less where one question may take less.
    var seconds = 4.0
    /// The most of all that wait for a thread, of which one user may have half.
    static let queue = 64

    /// Refuses what is too much for a mock answer: from plan and public numbers alone.
    ///
    /// - Parameter bound: Of the question on the mock rows.
    func check(_ bound: PlanBound, _ limits: ScanLimits, threads: Int) throws {
        let shown = bound.work[.cell]
        guard shown <= cells else {
            throw Problem.invalidQuestion(
                "a mock answer has at most \(Int(cells)) cells, and this one may have \(Int(min(shown, 1e15)))",
                hint:
                    "mock answers are there to try a question: try it with fewer groups or columns, or with LIMIT; its "
                    + "preview says what all of it would cost")
        }
        var own = limits
        own.seconds = min(seconds, limits.seconds)
        do { try own.check(bound, of: QuestionWork.self, threads: threads) } catch var problem as Problem {
            problem.hint = "this is so of its mock answer, on mock rows: try it with fewer groups or columns"
            throw problem
        }
    }
}

extension QuestionWork {
    /// The most that the question takes on the tables of that many mock rows: planned again as if they could hold no more.
    ///
    /// - Parameter rows: Of each private dataset that it reads.
    func mockBound(_ knowledge: PublicKnowledge, rows: (Catalogue.Entry) throws -> Int) throws -> PlanBound {
        var small = knowledge.catalogue
        for entry in assets where !entry.isLookup {
            var entry = entry
            entry.manifest.capacityRows = max(1, min(entry.manifest.capacityRows, try rows(entry)))
            entry.manifest.capacityUnits = min(entry.manifest.capacityUnits, entry.manifest.capacityRows)
            small.datasets[entry.manifest.name] = entry
        }
        return try QuestionWork(request, in: PublicKnowledge(catalogue: small, lookup: knowledge.lookup)).bound
    }
}
