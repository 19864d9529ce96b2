import DatasiteProtocol
import DifferentialPrivacy
import Query
import Tables

/// The manifest that most tests ask questions of.
enum Fixtures {
    static let visits = DatasetDescription(
        name: "visits",
        schema: Schema(columns: [
            ColumnSchema(name: "person", type: .text, isNullable: false),
            ColumnSchema(
                name: "plan", type: .text, isNullable: false,
                domain: ["free", "25 %", "50 %", "95 %"].map(Value.text)),
            ColumnSchema(name: "age", type: .integer, isNullable: false, lowerBound: 0, upperBound: 99),
            ColumnSchema(
                name: "cost", type: .real, isNullable: true, lowerBound: 0, upperBound: 1_000, resolution: 1),
            ColumnSchema(name: "visits", type: .integer, isNullable: false, lowerBound: 0, upperBound: 50),
            ColumnSchema(name: "city", type: .text, isNullable: true),
            ColumnSchema(name: "insured", type: .boolean, isNullable: true),
            ColumnSchema(
                name: "day", type: .date, isNullable: false, lowerBound: 0, upperBound: 1_095),
            ColumnSchema(name: "weight", type: .real, isNullable: false, lowerBound: 0.5, upperBound: 4),
            ColumnSchema(name: "free_number", type: .real, isNullable: true),
            ColumnSchema(name: "free_integer", type: .integer, isNullable: true),
        ]),
        unit: UnitDeclaration(column: 0, rowsPerUnit: 5, groupsPerUnit: 3), weightColumn: 8, capacityRows: 100_000,
        population: "people")

    static let clinics = DatasetDescription(
        name: "clinics",
        schema: Schema(columns: [
            ColumnSchema(name: "patient", type: .text, isNullable: false),
            ColumnSchema(name: "score", type: .real, isNullable: true, lowerBound: -10, upperBound: 10),
        ]),
        unit: UnitDeclaration(column: 0, rowsPerUnit: 2, groupsPerUnit: 2), capacityRows: 20_000, population: "people")

    static let others = DatasetDescription(
        name: "others",
        schema: Schema(columns: [ColumnSchema(name: "id", type: .text, isNullable: false)]),
        unit: UnitDeclaration(column: 0, rowsPerUnit: 2, groupsPerUnit: 2), capacityRows: 20_000, population: "animals")

    static let plans = LookupDescription(
        name: "plans",
        schema: Schema(columns: [
            ColumnSchema(name: "plan", type: .text, isNullable: false),
            ColumnSchema(
                name: "kind", type: .text, isNullable: false, domain: ["free", "shared"].map(Value.text)),
            ColumnSchema(name: "share", type: .real, isNullable: false, lowerBound: 0, upperBound: 1),
        ]), keyColumn: 0, capacityRows: 100)

    static let zCDP = LossRegime(kind: .zeroConcentrated, conversionDelta: 1e-6, selectionDelta: 1e-6, total: 10)
    static let renyi = LossRegime(kind: .renyi, conversionDelta: 1e-6, selectionDelta: 1e-6, total: 10)
    static let pure = LossRegime(kind: .pure, conversionDelta: 0, selectionDelta: 0, total: 10)

    static func context(_ regime: LossRegime = zCDP) -> PlanningContext {
        PlanningContext(datasets: [visits, clinics, others], lookups: [plans], regime: regime)
    }

    static func plan(
        _ sql: String, _ budget: Budget = .rho(0.1), regime: LossRegime = zCDP
    ) throws -> Plan {
        try Planner.plan(Question(sql: sql, budget: budget), in: context(regime))
    }

    /// The error that a question gives; nil where it gives none.
    static func error(
        _ sql: String, _ budget: Budget = .rho(0.1), regime: LossRegime = zCDP
    ) -> QueryError? {
        do throws(QueryError) {
            _ = try Planner.plan(Question(sql: sql, budget: budget), in: context(regime))
            return nil
        } catch {
            return error
        }
    }
}
