import DifferentialPrivacy
import Governance
import Tables
import Testing

@Suite("A manifest that cannot be meant is refused, with the place and what would be right")
struct ManifestTests {
    static let policy = Policy(
        regime: LossRegime(kind: .zeroConcentrated, conversionDelta: 5e-7, selectionDelta: 5e-7, total: 0.5),
        total: PrivacyLoss(kind: .zeroConcentrated, amount: 500_000_000_000, delta: 500_000_000_000))

    static let sound = Manifest(
        name: "visits", title: "Visits", description: "", population: "patients",
        schema: Schema(columns: [
            ColumnSchema(name: "person", type: .integer),
            ColumnSchema(name: "cost", type: .real, lowerBound: 0, upperBound: 100),
        ]), unit: UnitDeclaration(column: 0, rowsPerUnit: 5, groupsPerUnit: 3), capacityRows: 100, capacityUnits: 50,
        policy: policy)

    @Test("A sound manifest has no problems")
    func sound() { #expect(Self.sound.problems().isEmpty) }

    struct Fault: Sendable, CustomTestStringConvertible {
        let path: String
        let make: @Sendable (inout Manifest) -> Void
        var testDescription: String { path }
    }

    @Test(
        "Each fault is found where it is",
        arguments: [
            Fault(path: "name") { $0.name = "1st" },
            Fault(path: "name") { $0.name = "../up" },
            Fault(path: "population") { $0.population = "" },
            Fault(path: "columns.COST") { $0.schema.columns.append(ColumnSchema(name: "COST", type: .real)) },
            Fault(path: "unit.column") { $0.unit.column = 7 },
            Fault(path: "unit.column") { $0.unit.column = 1 },
            Fault(path: "unit.rows") { $0.unit.rowsPerUnit = 0 },
            Fault(path: "unit.rows") { $0.unit.column = nil },
            Fault(path: "unit.groups") { $0.unit.groupsPerUnit = 6 },
            Fault(path: "unit.rows-per-group") { $0.unit.rowsPerGroup = 6 },
            Fault(path: "capacity.rows") { $0.capacityRows = 0 },
            Fault(path: "capacity.units") { $0.capacityUnits = 101 },
            Fault(path: "weight.column") { $0.weightColumn = 0 },
            Fault(path: "policy") { $0.policy = nil },
            Fault(path: "columns.cost.bounds") { $0.schema.columns[1].lowerBound = 100 },
            Fault(path: "columns.cost.bounds") { $0.schema.columns[1].upperBound = .infinity },
            Fault(path: "columns.cost.bounds") { $0.schema.columns[1].upperBound = nil },
            Fault(path: "columns.cost.resolution") { $0.schema.columns[1].resolution = 0 },
            Fault(path: "columns.person.domain") { $0.schema.columns[0].domain = [.integer(1), .integer(1)] },
            Fault(path: "columns.person.other") { $0.schema.columns[0].other = .integer(1) },
            Fault(path: "policy.total") { $0.policy?.total = PrivacyLoss(kind: .zeroConcentrated, amount: 0) },
            Fault(path: "policy.total") { $0.policy?.total = PrivacyLoss(kind: .pure, amount: 1) },
            Fault(path: "policy.delta") { $0.policy?.regime.conversionDelta = 0 },
            Fault(path: "policy.per-question") { $0.policy?.perQuestion = PrivacyLoss(kind: .pure, amount: 1) },
            Fault(path: "policy.windows") { $0.policy?.windows = [.init(seconds: 1, limit: policy.total)] },
            Fault(path: "policy.aggregates") { $0.policy?.allowedAggregates = [] },
            Fault(path: "policy.approval.owners") { $0.policy?.approval = .owners(0) },
        ])
    func faults(_ fault: Fault) {
        var manifest = Self.sound
        fault.make(&manifest)
        #expect(manifest.problems().contains { $0.path == fault.path && !$0.message.isEmpty }, "\(manifest.problems())")
    }

    @Test("A public lookup table has a key and no policy")
    func lookups() {
        var manifest = Self.sound
        manifest.lookupKey = 0
        #expect(manifest.problems().map(\.path) == ["policy"])
        manifest.policy = nil
        #expect(manifest.problems().isEmpty)
        manifest.lookupKey = 9
        #expect(manifest.problems().map(\.path) == ["key"])
    }
}
