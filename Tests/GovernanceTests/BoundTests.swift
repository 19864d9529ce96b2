import DifferentialPrivacy
import Governance
import Tables
import Testing

/// Each number that a rule names, on both sides of its bound: a bound that moves by one fails here.
@Suite("The bounds of manifests and policies are where their words say")
struct BoundTests {
    struct Bound: Sendable, CustomTestStringConvertible {
        let path: String
        /// Sets the number that is allowed.
        let inside: @Sendable (inout Manifest) -> Void
        /// Sets the next one, which is not.
        let outside: @Sendable (inout Manifest) -> Void
        var testDescription: String { path }

        init(
            _ path: String, inside: @escaping @Sendable (inout Manifest) -> Void,
            outside: @escaping @Sendable (inout Manifest) -> Void
        ) {
            (self.path, self.inside, self.outside) = (path, inside, outside)
        }

        /// A bound on one number.
        init<Number: Sendable>(
            _ path: String, _ number: any WritableKeyPath<Manifest, Number> & Sendable, _ inside: Number,
            _ outside: Number
        ) {
            self.init(
                path, inside: { $0[keyPath: number] = inside }, outside: { $0[keyPath: number] = outside })
        }

        /// A bound on one part of the policy.
        init<Part: Sendable>(
            policy key: String, _ part: any WritableKeyPath<Policy, Part> & Sendable, _ inside: Part, _ outside: Part
        ) {
            self.init(
                "policy.\(key)", inside: { $0.policy?[keyPath: part] = inside },
                outside: { $0.policy?[keyPath: part] = outside })
        }
    }

    private static func loss(_ amount: Int64, delta: Int64 = 0) -> PrivacyLoss {
        PrivacyLoss(kind: .zeroConcentrated, amount: amount, delta: delta)
    }

    private static func windows(_ count: Int) -> [Policy.Window] {
        (0..<count).map { Policy.Window(seconds: 60 + Int64($0), limit: loss(1)) }
    }

    private static func values(_ count: Int64) -> [Value]? { (0..<count).map { .integer($0) } }

    private static func columns(_ count: Int) -> [ColumnSchema] {
        ManifestTests.sound.schema.columns
            + (2..<count).map { ColumnSchema(name: "c\($0)", type: .boolean) }
    }

    private static let manifestBounds: [Bound] = [
        Bound("name", \.name, String(repeating: "a", count: 64), String(repeating: "a", count: 65)),
        Bound("population", \.population, "p", ""),
        Bound("columns", \.schema.columns, columns(4_096), columns(4_097)),
        Bound("columns.person.max-bytes", \.schema.columns[0].maximumBytes, 1, 0),
        Bound("columns.person.max-bytes", \.schema.columns[0].maximumBytes, 65_536, 65_537),
        Bound("columns.cost.bounds", \.schema.columns[1].lowerBound, 100.0.nextDown, 100),
        Bound("unit.rows", \.unit.rowsPerUnit, 1 << 24, 1 << 24 + 1),
        Bound("unit.groups", \.unit.groupsPerUnit, 5, 6),
        Bound("unit.groups", \.unit.groupsPerUnit, 1, 0),
        Bound("unit.rows-per-group", \.unit.rowsPerGroup, 1, 0),
        Bound("unit.rows-per-group", \.unit.rowsPerGroup, 5, 6),
        Bound("capacity.rows", \.capacityRows, 1 << 40, 1 << 40 + 1),
        Bound("capacity.units", \.capacityUnits, 1, 0),
        Bound("capacity.units", \.capacityUnits, 100, 101),
        Bound("unit.rows", inside: { makeRowsUnits(&$0, rows: 1) }, outside: { makeRowsUnits(&$0, rows: 2) }),
        Bound("columns.person.bounds", inside: { bound(&$0, 0x1p53) }, outside: { bound(&$0, 0x1p53 + 2) }),
        Bound("columns.person.bounds", inside: { bound(&$0, -0x1p53) }, outside: { bound(&$0, -0x1p53 - 2) }),
        Bound("weight.column", inside: { weigh(&$0, from: 0) }, outside: { weigh(&$0, from: -1e-300) }),
        Bound("columns.person.domain", \.schema.columns[0].domain, values(65_536), values(65_537)),
    ]

    private static let policyBounds: [Bound] = [
        Bound(policy: "windows", \.windows, windows(16), windows(17)),
        Bound(policy: "windows", \.windows, [window(seconds: 60)], [window(seconds: 59)]),
        Bound(policy: "windows", \.windows, [window(seconds: 3_162_240_000)], [window(seconds: 3_162_240_001)]),
        Bound(policy: "windows", \.windows, [window(limit: 1)], [window(limit: 0)]),
        Bound(policy: "windows", \.windows, windows(2), [windows(1)[0], windows(1)[0]]),
        Bound(policy: "approval.owners", \.approval, .owners(1), .owners(0)),
        Bound(policy: "approval.owners", \.approval, .owners(100), .owners(101)),
        Bound(policy: "total", \.total, loss(1), loss(0)),
        Bound(policy: "per-researcher", \.perResearcher, loss(1), loss(0)),
        Bound(policy: "per-question", \.perQuestion, loss(1, delta: 0), loss(1, delta: -1)),
        Bound(policy: "least-share", \.leastShare, 0, -1),
        Bound(policy: "least-share", \.leastShare, Policy.wholeShare, Policy.wholeShare + 1),
        Bound(policy: "delta", \.regime.conversionDelta, Double.leastNonzeroMagnitude, 0),
        Bound(policy: "delta", \.regime.selectionDelta, 0, -Double.leastNonzeroMagnitude),
        Bound(policy: "delta", \.regime.conversionDelta, 0.999_999, 0.999_999_6),
    ]

    @Test(
        "What a rule allows at its bound has no problem, and the next value has one",
        arguments: manifestBounds + policyBounds)
    func bound(_ bound: Bound) {
        var manifest = ManifestTests.sound
        bound.inside(&manifest)
        #expect(manifest.problems().map(\.path) == [])
        manifest = ManifestTests.sound
        bound.outside(&manifest)
        #expect(manifest.problems().map(\.path).contains(bound.path))
    }

    @Test("A pure policy has no delta, in none of the three places where one could stand")
    func pureHasNoDelta() {
        let pure = Policy(
            regime: LossRegime(kind: .pure, conversionDelta: 0, selectionDelta: 0, total: 1),
            total: PrivacyLoss(kind: .pure, amount: 1))
        #expect(pure.problems().isEmpty)
        var policies = [pure, pure, pure]
        policies[0].regime.conversionDelta = 1e-9
        policies[1].regime.selectionDelta = 1e-9
        policies[2].total = PrivacyLoss(kind: .pure, amount: 1, delta: 1)
        for policy in policies { #expect(policy.problems().map(\.path) == ["policy.delta"]) }
    }

    @Test("What is left, and the smaller of two losses, is taken part by part")
    func parts() {
        #expect(Self.loss(10, delta: 5).left(after: Self.loss(4, delta: 7)) == Self.loss(6, delta: 0))
        #expect(Self.loss(10, delta: 5).left(after: Self.loss(11, delta: 2)) == Self.loss(0, delta: 3))
        #expect(Self.loss(10, delta: 5).minimum(Self.loss(4, delta: 7)) == Self.loss(4, delta: 5))
        #expect(Self.loss(4, delta: 7).minimum(Self.loss(10, delta: 5)) == Self.loss(4, delta: 5))
    }

    @Test("A share of a loss is rounded up as soon as anything is left over, and of nothing is nothing")
    func leastShare() {
        #expect(Policy.leastCharge(Self.loss(1), share: 1).amount == 1)
        #expect(Policy.leastCharge(Self.loss(1_000_000_000_000), share: 1).amount == 1)
        #expect(Policy.leastCharge(Self.loss(1_000_000_000_001), share: 1).amount == 2)
        #expect(Policy.leastCharge(Self.loss(0), share: Policy.wholeShare).amount == 0)
        #expect(Policy.leastCharge(Self.loss(-1), share: 1).amount == 0)
        #expect(Policy.leastCharge(Self.loss(7), share: Policy.wholeShare + 1).amount == 7)
        #expect(Policy.leastCharge(Self.loss(7), share: -1).amount == 0)
    }

    @Test(
        "A window is named in the largest unit that divides it",
        arguments: [
            (604_800, "window 7d"), (86_400, "window 1d"), (86_401, "window 86401s"), (129_600, "window 36h"),
            (5_400, "window 90m"), (60, "window 1m"), (61, "window 61s"),
        ] as [(Int64, String)])
    func words(_ seconds: Int64, _ words: String) {
        #expect(BudgetScope.window(seconds: seconds).words == words)
    }

    @Test("A name is a letter, then letters, digits, _ and -")
    func names() {
        for name in ["a", "Z", "zZ09_-"] { #expect(Manifest.isName(name), "\(name)") }
        for name in [
            "", "_a", "-a", "9a", "a b", "a.b", "a/b", "é", "@a", "[a", "`a", "{a", "a@", "a[", "a`", "a{", "a:",
        ] {
            #expect(!Manifest.isName(name), "\(name)")
        }
    }

    private static func window(seconds: Int64 = 60, limit: Int64 = 1) -> Policy.Window {
        Policy.Window(seconds: seconds, limit: loss(limit))
    }

    private static func makeRowsUnits(_ manifest: inout Manifest, rows: Int) {
        manifest.unit = UnitDeclaration(column: nil, rowsPerUnit: rows, groupsPerUnit: 1)
    }

    private static func bound(_ manifest: inout Manifest, _ value: Double) {
        manifest.schema.columns[0].lowerBound = min(value, 0)
        manifest.schema.columns[0].upperBound = max(value, 0)
    }

    private static func weigh(_ manifest: inout Manifest, from lower: Double) {
        manifest.schema.columns[1].lowerBound = lower
        manifest.weightColumn = 1
    }
}
