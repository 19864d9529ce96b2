import Testing

@testable import Tables

@Suite("No scan works or holds more than its plan says, whatever the rows hold")
struct WorkTests {
    static let rows = 3 * RowChunk.capacity + 7
    let schema: Schema

    init() {
        func bounded(_ name: String, _ type: ValueType, _ lower: Double, _ upper: Double) -> ColumnSchema {
            ColumnSchema(name: name, type: type, lowerBound: lower, upperBound: upper)
        }
        schema = Schema(columns: [
            column("u", .integer), bounded("small", .integer, 0, 30), column("wide", .integer),
            bounded("x", .real, -1e308, 1e308),
            ColumnSchema(name: "t", type: .text, maximumBytes: 60),
            ColumnSchema(
                name: "c", type: .text, domain: [.text("alpha"), .text("beta"), .text("a long gamma")]),
            column("b", .boolean), bounded("d", .date, 0, 20_000), column("at", .timestamp),
        ])
    }

    /// Tables that are bad for an engine, each in its own way.
    enum Kind: CaseIterable { case alike, distinct, longest, oneUnit, sparse, random }

    func table(_ kind: Kind, _ dice: inout Dice, rows: Int = Self.rows) throws -> Table {
        let made = (0..<rows).map { row -> [Value] in
            let number = Int64(row)
            let unit: Int64 = kind == .oneUnit ? 1 : number
            switch kind {
            case .alike:
                return [
                    .integer(unit), .integer(7), .integer(9), .real(0x1p-1074),
                    .text(String(repeating: "a", count: 60)),
                    .text("a long gamma"), .boolean(true), .date(5), .timestamp(5),
                ]
            case .distinct, .oneUnit, .longest:
                let digits = String(number + 100_000)
                let text =
                    kind == .longest
                    ? String(repeating: "\u{0390}", count: 27) + digits : String(repeating: "a", count: 54) + digits
                return [
                    .integer(unit), .integer(number % 31), .integer(number << 30), .real(Double(number) * 0x1p-1074),
                    .text(text), .text("a long gamma"), .boolean(number % 2 == 0), .date(number % 20_001),
                    .timestamp(number * 86_399),
                ]
            case .sparse:
                return [.integer(unit)] + [Value](repeating: .null, count: 8)
            case .random:
                return [.integer(Int64(dice.int(0...50)))]
                    + [.integer, .integer, .real, .text, .text, .boolean, .date, .timestamp].enumerated().map {
                        $0.offset == 0 ? .integer(Int64(dice.int(0...30))) : dice.value($0.element)
                    }
            }
        }
        return try Table(
            rows: made,
            plan: IngestPlan(schema: schema, unitColumn: 0, rowsPerUnit: 1 << 20, key: testKey, onError: .null))
    }

    /// What the public knows of a table of so many rows.
    func shape(rows: Int = Self.rows, lookups: [SourceShape.Lookup] = []) -> SourceShape {
        SourceShape(
            columns: schema.columns, rows: Double(rows), tableRows: Double(rows), units: Double(rows), lookups: lookups)
    }

    static let text = Expression.column(4, .text)
    static let category = Expression.column(5, .text)
    static let wide = Expression.column(2, .integer)
    static let real = Expression.column(3, .real)

    static func like(_ pattern: String) -> Expression { .like(text, pattern: pattern) }

    /// Filters, each dear in its own way.
    static let filters: [Expression] = [
        like("%" + String(repeating: "a", count: 40) + "b"), like("%" + String(repeating: "a_", count: 70) + "%"),
        like("%a%a%a%a%b%a%a"), like("a%" + String(repeating: "a", count: 30)),
        .like(.textFunction(.upper, .textFunction(.lower, text)), pattern: "%A_A%B%"),
        .comparison(.less, text, .literal(.text(String(repeating: "a", count: 50)), .text)),
        .comparison(.less, .textFunction(.trim, text), text),
        .isIn(text, [.text("a"), .text(String(repeating: "a", count: 60))]),
        .comparison(
            .equal,
            .cast(
                .conditional(
                    [.init(condition: .column(6, .boolean), value: wide)], otherwise: .literal(.integer(3), .integer),
                    .integer), .text),
            .literal(.text("q"), .text)),
        .comparison(.greater, .cast(text, .real), real), .comparison(.equal, .cast(real, .text), text),
        .comparison(
            .greater, .arithmetic(.modulo, .literal(.real(1e308), .real), real, .real),
            .function(.exponential, real, .real)),
        .comparison(
            .greater, .textLength(.extremum(.greatest, [text, category, .literal(.text("b"), .text)], .text)), wide),
        .like(category, pattern: "%gam_a%"), .isNull(.dateTruncate(.week, .column(8, .timestamp), .timestamp)),
        .comparison(.less, .round(real, digits: 300), .function(.naturalLogarithm, real, .real)),
        .comparison(.less, .arithmetic(.power, real, .literal(.real(0.97), .real), .real), real),
        .comparison(
            .less, .textFunction(.substring(from: 3, length: 9), text), .literal(.text("aaaa"), .text)),
        .comparison(.less, .concatenation([text, category, text]), .literal(.text("b"), .text)),
        .like(.concatenation([.concatenation([text, text]), .cast(real, .text)]), pattern: "%b%"),
    ]

    static let keys: [Expression] = [
        wide, text, category, real, .textFunction(.lower, text), .column(1, .integer),
        .bin(.column(1, .integer), width: 5, origin: 0, .integer), .column(7, .date),
        .coalesce([text, category], .text), .datePart(.week, .column(8, .timestamp)),
        .conditional(
            [.init(condition: .column(6, .boolean), value: .literal(.text("yes"), .text))],
            otherwise: .literal(.text("no"), .text), .text),
        .concatenation([category, category]), .concatenation([text, category]),
        .textFunction(.substring(from: 2, length: nil), text),
    ]

    static let measures: [Measure] = [
        Measure(.rows), Measure(.units), Measure(.nonNull(text)),
        Measure(.sum(real, FixedPointGrid(lower: -4, upper: 4, center: 0, step: 0.25))),
        Measure(.histogram(real, edges: (0...40).map { Double($0) * 0x1p-1070 })),
        Measure(.gridValues(.cast(wide, .real), lower: 0, step: 0x1p30, points: 1 << 20), rowsPerGroup: 1),
    ]

    static func specification(_ filter: Expression?, _ keys: [Expression], _ measures: [Measure])
        -> AggregationSpecification
    {
        AggregationSpecification(
            filter: filter, keys: keys.map { KeySpecification(expression: $0, coding: .discovered) },
            measures: measures,
            bounds: ContributionBounds(groupsPerUnit: 1 << 20, rowsPerGroup: 1 << 20))
    }

    /// Runs it and holds it to its bound; gives the work done.
    @discardableResult
    func hold(_ specification: AggregationSpecification, _ table: Table, _ bound: WorkBound, _ what: String) -> Work {
        let exact = BoundedAggregation(specification, source: .table(table)).run()
        for kind in WorkKind.allCases {
            let (did, may) = (exact.work[kind], bound.work[kind])
            #expect(did <= may, "\(what): \(kind) \(did) of \(may)")
        }
        let memory = exact.memory
        #expect(memory <= bound.memory, "\(what): \(memory) bytes of \(bound.memory)")
        #expect(Double(exact.groupCount) <= bound.groups)
        return exact.work
    }

    @Test(
        "Every dear filter, key and measure stays within its bound on every bad table, and the bound is near the worst")
    func adversarial() throws {
        var dice = Dice(1)
        let tables = try Kind.allCases.map { ($0, try table($0, &dice)) }
        var specifications = Self.filters.map { Self.specification($0, [], [Measure(.rows)]) }
        specifications += Self.keys.map { Self.specification(nil, [$0], Self.measures) }
        specifications += [
            Self.specification(.not(Self.filters[0]), [Self.keys[0], Self.keys[1], Self.keys[2]], Self.measures),
            Self.specification(nil, [Self.keys[5], Self.keys[9]], []),
        ]
        for (number, specification) in specifications.enumerated() {
            let bound = WorkBound(specification, shape())
            var worst = 0.0
            for (kind, table) in tables {
                let work = hold(specification, table, bound, "question \(number) on \(kind)")
                worst = Swift.max(worst, WorkSpeeds.reference.time(work))
            }
            let time = WorkSpeeds.reference.time(bound.work)
            #expect(time <= 4 * worst, "question \(number): bound \(time / worst) times the worst")
        }
    }

    @Test("Random questions on random tables stay within their bounds", arguments: 1...40)
    func random(seed: UInt64) throws {
        var dice = Dice(seed)
        let rows = dice.pick([0, 1, 50, 3000])
        let table = try table(dice.pick(Kind.allCases), &dice, rows: rows)
        var maker = WideExpressionMaker(dice: dice)
        for number in 0..<12 {
            let filter = maker.make(.boolean, depth: 4)
            let keys = (0..<maker.dice.int(0...3)).map { _ in maker.make(maker.dice.pick(ValueType.allCases), depth: 3)
            }
            let specification = Self.specification(filter, keys, Self.measures)
            hold(specification, table, WorkBound(specification, shape(rows: rows)), "seed \(seed), question \(number)")
        }
    }

    @Test("A join's rows multiply in its bound, and stay within it")
    func join() throws {
        var dice = Dice(3)
        let rows = (0..<500).map { _ -> [Value] in
            [.integer(Int64(dice.int(0...20)))]
                + [.integer, .integer, .real, .text, .text, .boolean, .date, .timestamp].enumerated().map {
                    $0.offset == 0 ? .integer(3) : dice.value($0.element)
                }
        }
        let plan = IngestPlan(schema: schema, unitColumn: 0, rowsPerUnit: 40, key: testKey, onError: .null)
        let table = try Table(rows: rows, plan: plan)
        let shape = SourceShape(
            columns: schema.columns + schema.columns, rows: 500 * 40, tableRows: 500, units: 1000)
        let specification = Self.specification(
            .comparison(.less, Self.text, .column(9 + 4, .text)), [Self.text, .column(9 + 4, .text)], [Measure(.rows)])
        let bound = WorkBound(specification, shape)
        let exact = BoundedAggregation(
            specification, source: .join(table, table, leftRows: 40, rightRows: 40)
        ).run()
        let (work, memory) = (exact.work, exact.memory)
        #expect(work.isWithin(bound.work))
        #expect(memory <= bound.memory)
        #expect(work[.row] > 10_000)
    }

    @Test("What is computed from texts takes memory that the number of different ones does not enter")
    func scratch() throws {
        var dice = Dice(2)
        let cast = Expression.cast(Self.wide, .text)
        let dear = (0..<150).reduce(Expression.literal(.boolean(true), .boolean)) { all, number in
            .or(all, .comparison(.equal, .textFunction(.upper, cast), .literal(.text("q\(number)"), .text)))
        }
        let specification = Self.specification(dear, [], [Measure(.rows)])
        let held = try [Kind.alike, .distinct].map { kind in
            BoundedAggregation(specification, source: .table(try table(kind, &dice))).run().memory
        }
        #expect(held[1] < held[0] * 1.5)
    }

    @Test("A change of case never triples a text's bytes, whatever the scalar")
    func growth() {
        let pool = TextPool()
        for value in (0...0x10ffff as ClosedRange<UInt32>) {
            guard let scalar = Unicode.Scalar(value) else { continue }
            let text = String(scalar).normalizedForKeys
            for function in [TextFunction.lower, .upper, .trim] {
                var read = 0
                pool.beginChunk()
                let made = pool.compute(function, of: pool.compute(text), bytes: &read)
                let result = pool.withBytes(made) { $0.count }
                if Double(result) > function.growth * Double(text.utf8.count) { Issue.record("U+\(value): \(result)") }
            }
        }
    }

    @Test("LIKE gives what a table over all prefixes gives", arguments: 1...30)
    func patterns(seed: UInt64) {
        var dice = Dice(seed)
        for _ in 0..<400 {
            let length = dice.chance(10) ? 90 : 7
            let pattern = (0..<dice.int(0...length)).map { _ in
                dice.pick(["a", "a", "b", "é", "%", "_", "\\%", "\\\\"])
            }
            .joined()
            let text = (0..<dice.int(0...length + 9)).map { _ in dice.pick(["a", "a", "a", "b", "é", "%", "\\"]) }
                .joined()
            var copy = text
            let matches = copy.withUTF8 { LikePattern(pattern).matches(UnsafeRawBufferPointer($0)) }
            #expect(matches == Self.oracle(pattern, text), "\(text) LIKE \(pattern)")
        }
    }

    @Test(
        "LIKE finds a segment that begins anew inside a match that fails",
        arguments: [
            ("%aab%", "aaab", true), ("%aab%", "aaaab", true), ("%abab%", "aababab", true), ("%abac%", "ababac", true),
            ("%aaab%", "aabaab", false), ("%aabaaab%", "aabaabaaab", true), ("%é日é%", "é日日é日é", true),
        ])
    func overlappingSegments(pattern: String, text: String, matches: Bool) {
        var copy = text
        #expect(copy.withUTF8 { LikePattern(pattern).matches(UnsafeRawBufferPointer($0)) } == matches)
        #expect(Self.oracle(pattern, text) == matches)
    }

    @Test("A unit contributes to at most its groups, and all units together to no more than there are rows")
    func contributions() {
        func contributions(rows: Double, units: Double, groups: Int, perUnit: Int) -> Double {
            let key = KeySpecification(
                expression: .column(0, .integer), coding: .domain((0..<groups).map { .integer(Int64($0)) }))
            let specification = AggregationSpecification(
                filter: nil, keys: [key], measures: [],
                bounds: ContributionBounds(groupsPerUnit: perUnit, rowsPerGroup: 1))
            let shape = SourceShape(
                columns: [ColumnSchema(name: "n", type: .integer)], rows: rows, tableRows: rows, units: units)
            return WorkBound(specification, shape).contributions
        }
        #expect(contributions(rows: 1_000, units: 10, groups: 50, perUnit: 3) == 30)
        #expect(contributions(rows: 1_000, units: 10, groups: 2, perUnit: 3) == 20)
        #expect(contributions(rows: 25, units: 10, groups: 50, perUnit: 3) == 25)
        #expect(contributions(rows: 1_000, units: 10, groups: 50, perUnit: 0) == 0)
    }

    /// Whether each prefix of the pattern matches each prefix of the text.
    static func oracle(_ pattern: String, _ text: String) -> Bool {
        let text = Array(text.unicodeScalars)
        var reached = [true] + [Bool](repeating: false, count: text.count)
        var isEscaped = false
        for scalar in pattern.unicodeScalars {
            if scalar == "\\", !isEscaped {
                isEscaped = true
                continue
            }
            var next = [Bool](repeating: false, count: text.count + 1)
            if scalar == "%", !isEscaped {
                var any = false
                for place in reached.indices {
                    any = any || reached[place]
                    next[place] = any
                }
            } else {
                for place in text.indices where reached[place] {
                    next[place + 1] = (scalar == "_" && !isEscaped) || text[place] == scalar
                }
            }
            isEscaped = false
            reached = next
        }
        return reached[text.count]
    }

    @Test("This machine's speeds are found, every kind's, and far from nothing")
    func calibration() {
        let speeds = WorkCalibration.measure()
        #expect(speeds.isComplete)
        #expect(speeds[.remainder] > speeds[.step])
    }
}

/// Random well-typed expressions over the columns of `WorkTests`.
struct WideExpressionMaker {
    var dice: Dice

    mutating func make(_ type: ValueType, depth: Int) -> Expression {
        if depth == 0 { return leaf(type) }
        switch type {
        case .boolean:
            switch dice.int(0...6) {
            case 0: return .and(make(.boolean, depth: depth - 1), make(.boolean, depth: depth - 1))
            case 1: return .or(make(.boolean, depth: depth - 1), .not(make(.boolean, depth: depth - 1)))
            case 2: return .isNull(make(dice.pick(ValueType.allCases), depth: depth - 1))
            case 3: return .like(make(.text, depth: depth - 1), pattern: dice.pick(["%a_a%", "a%b", "%é%1%", "%"]))
            case 4: return .isIn(make(.text, depth: depth - 1), [.text("a"), .text("beta")])
            default:
                let type = dice.pick(ValueType.allCases)
                return .comparison(.less, make(type, depth: depth - 1), make(type, depth: depth - 1))
            }
        case .text:
            switch dice.int(0...5) {
            case 0:
                return .textFunction(
                    dice.pick([.lower, .upper, .trim, .substring(from: 2, length: 9)]), make(.text, depth: depth - 1))
            case 4: return .concatenation((0..<3).map { _ in make(.text, depth: depth - 1) })
            case 1: return .cast(make(dice.pick(ValueType.allCases), depth: depth - 1), .text)
            case 2: return .extremum(.least, [make(.text, depth: depth - 1), make(.text, depth: depth - 1)], .text)
            case 3: return .coalesce([make(.text, depth: depth - 1), make(.text, depth: depth - 1)], .text)
            default:
                return .conditional(
                    [.init(condition: make(.boolean, depth: depth - 1), value: make(.text, depth: depth - 1))],
                    otherwise: leaf(.text), .text)
            }
        case .integer:
            switch dice.int(0...3) {
            case 0: return .textLength(make(.text, depth: depth - 1))
            case 1:
                return .arithmetic(
                    dice.pick([.add, .modulo, .multiply]), make(.integer, depth: depth - 1), leaf(.integer), .integer)
            case 2: return .datePart(dice.pick(DatePart.allCases), make(.date, depth: depth - 1))
            default: return .cast(make(dice.pick(ValueType.allCases), depth: depth - 1), .integer)
            }
        case .real:
            switch dice.int(0...3) {
            case 0:
                return .function(
                    dice.pick([.exponential, .naturalLogarithm, .squareRoot]), make(.real, depth: depth - 1), .real)
            case 1:
                return .arithmetic(
                    dice.pick([.divide, .modulo, .add, .power]), make(.real, depth: depth - 1), leaf(.real), .real)
            case 2: return .round(make(.real, depth: depth - 1), digits: dice.int(-3...3))
            default: return .cast(make(dice.pick(ValueType.allCases), depth: depth - 1), .real)
            }
        case .date, .timestamp:
            return dice.chance(50)
                ? .dateTruncate(dice.pick([.year, .week, .month]), make(type, depth: depth - 1), type)
                : .cast(make(dice.pick(ValueType.allCases), depth: depth - 1), type)
        }
    }

    private mutating func leaf(_ type: ValueType) -> Expression {
        switch type {
        case .integer: dice.pick([.column(1, .integer), .column(2, .integer), .literal(.integer(3), .integer)])
        case .real: dice.pick([.column(3, .real), .literal(.real(0.5), .real)])
        case .text: dice.pick([.column(4, .text), .column(5, .text), .literal(.text("a1"), .text)])
        case .boolean: .column(6, .boolean)
        case .date: .column(7, .date)
        case .timestamp: .column(8, .timestamp)
        }
    }
}
