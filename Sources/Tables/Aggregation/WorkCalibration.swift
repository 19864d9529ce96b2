#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// Measures how long each kind of work takes on this machine, on rows made up here, each kind at its slowest inputs: never
/// on a site's tables, so that what follows from the speeds is public.
public enum WorkCalibration {
    /// About half a second of measuring.
    public static func measure() -> WorkSpeeds {
        var speeds = WorkSpeeds(nanoseconds: [:])
        for kind in WorkKind.allCases { speeds[kind] = 0 }
        speeds[.miss] = missNanoseconds()
        for exercise in exercises {
            // The time that the other kinds of work take is subtracted. A kind costs the most that any exercise shows.
            let (elapsed, work) = exercise.best()
            var others = work
            others[exercise.kind] = 0
            let own = (elapsed - speeds.time(others)) / Swift.max(work[exercise.kind], 1)
            speeds[exercise.kind] = Swift.max(speeds[exercise.kind], own)
        }
        for kind in WorkKind.allCases {
            // No machine is eight times as fast as the reference in one kind alone: that is a measurement that failed.
            speeds[kind] = Swift.max(speeds[kind], WorkSpeeds.reference[kind] / 8)
        }
        for kind in [WorkKind.scan, .measured] { speeds[kind] = WorkSpeeds.reference[kind] }
        // Kinds of work of other modules cannot be measured here: they are scaled as the kinds of this one turned out.
        let slowdown = WorkKind.allCases.map { speeds[$0] / WorkSpeeds.reference[$0] }.sorted()
        for kind in [WorkKind.noise, .value, .item, .cell] {
            speeds[kind] = WorkSpeeds.reference[kind] * Swift.max(1, slowdown[slowdown.count / 2])
        }
        return speeds
    }

    /// Accesses in random order, all over 64 MB, independent of each other: the processor overlaps as many as it can.
    private static func missNanoseconds() -> Double {
        let count = 1 << 23
        var counts = [Int64](repeating: 1, count: count)
        var place = 1
        let steps = 200_000
        let elapsed = nanoseconds {
            for _ in 0..<steps {
                place = (place &* 1_664_525 &+ 1_013_904_223) & (count - 1)
                counts[place ^ place >> 7] &+= 1
            }
        }
        return (elapsed + Double(counts[place] & 1)) / Double(steps)
    }

    /// The processor's time that this thread took: what else the machine does while it is measured counts for nothing.
    public static func nanoseconds(_ body: () -> Void) -> Double {
        func now() -> Double {
            var time = timespec()
            clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
            return Double(time.tv_sec) * 1e9 + Double(time.tv_nsec)
        }
        let start = now()
        body()
        return now() - start
    }

    /// Work of one kind above all.
    private struct Exercise {
        let kind: WorkKind
        /// Does it once and says what it was.
        let run: () -> Work

        /// The shortest of several runs, in nanoseconds; of three runs, where one is long.
        func best() -> (elapsed: Double, work: Work) {
            var best = (elapsed: Double.infinity, work: Work())
            var total = 0.0
            for count in 0..<8 where count < 3 || total < 2e7 {
                var work = Work()
                let elapsed = WorkCalibration.nanoseconds { work = run() }
                if elapsed < best.elapsed { best = (elapsed, work) }
                total += elapsed
            }
            return best
        }
    }

    // MARK: - What is exercised, each kind after those that it needs

    private static var exercises: [Exercise] {
        let table = CalibrationTable()
        func rows(_ kind: WorkKind, _ expressions: [Expression]) -> Exercise {
            Exercise(kind: kind) { table.evaluate(expressions) }
        }
        func scan(_ kind: WorkKind, _ specification: AggregationSpecification) -> Exercise {
            Exercise(kind: kind) { table.scan(specification) }
        }
        func each<Made>(_ body: (Int64) -> Made) -> [Made] { (1...16).map { body(Int64($0)) } }
        let number = Expression.column(0, .integer)
        let tiny = Expression.column(1, .real)
        let huge = Expression.column(2, .real)
        let moment = Expression.column(3, .timestamp)
        let letters = Expression.column(4, .text)
        let greek = Expression.column(5, .text)
        let digits = Expression.column(6, .text)
        func integer(_ value: Int64) -> Expression { .literal(.integer(value), .integer) }
        func real(_ value: Double) -> Expression { .literal(.real(value), .real) }
        let unbounded = ContributionBounds(groupsPerUnit: .max, rowsPerGroup: .max)
        func grouped(_ key: Expression, _ measures: [Measure]) -> AggregationSpecification {
            AggregationSpecification(
                filter: nil, keys: [KeySpecification(expression: key, coding: .discovered)], measures: measures,
                bounds: unbounded)
        }
        func all(_ measures: [Measure]) -> AggregationSpecification {
            AggregationSpecification(filter: nil, keys: [], measures: measures, bounds: unbounded)
        }
        let none = "%" + String(repeating: "a", count: 100) + "b"
        let wild = "%" + String(repeating: "a", count: 60) + "_b"
        return [
            rows(.step, each { .arithmetic(.add, number, integer($0), .integer) }),
            rows(.step, each { .comparison(.less, number, integer($0)) }),
            rows(.step, each { .and(.comparison(.less, number, integer($0)), .isNull(tiny)) }),
            rows(
                .step,
                each {
                    .conditional(
                        [.init(condition: .comparison(.less, number, integer($0 * 64)), value: integer($0))],
                        otherwise: number, .integer)
                }),
            rows(.real, each { .arithmetic(.divide, tiny, real(0.5 / Double($0)), .real) }),
            rows(.real, each { .arithmetic(.multiply, tiny, real(0.7 / Double($0)), .real) }),
            rows(.real, each { .arithmetic(.modulo, number, integer($0 + 2), .integer) }),
            rows(.real, each { .bin(number, width: Double($0 + 2), origin: 1, .integer) }),
            rows(.real, [.function(.squareRoot, tiny, .real)]),
            rows(.transcendental, [.function(.naturalLogarithm, tiny, .real)]),
            rows(
                .transcendental, [.function(.exponential, .arithmetic(.multiply, huge, real(-4.1e-306), .real), .real)]),
            rows(
                .transcendental,
                [.arithmetic(.power, tiny, real(0.97), .real), .arithmetic(.power, huge, real(-1.0437), .real)]),
            rows(.transcendental, [.round(tiny, digits: 300), .round(huge, digits: -300), .round(tiny, digits: 7)]),
            rows(.remainder, [.arithmetic(.modulo, huge, tiny, .real)]),
            rows(.calendar, DatePart.allCases.map { .datePart($0, moment) }),
            rows(.calendar, [.dateTruncate(.quarter, moment, .timestamp), .dateTruncate(.week, moment, .timestamp)]),
            rows(.probe, each { .isIn(number, (0..<256).map { .integer($0 * 7) } + [.integer($0)]) }),
            rows(.format, [.cast(tiny, .text), .cast(huge, .text)]),
            rows(.format, [.cast(moment, .text)]),
            rows(.byte, [.like(letters, pattern: none + "%"), .like(letters, pattern: none + "%b%")]),
            rows(.byte, [.isIn(letters, [.text(none)]), .textLength(letters)]),
            rows(
                .byte, [.textFunction(.substring(from: 100, length: 9), letters), .concatenation([letters, letters])]),
            rows(.pattern, [.like(letters, pattern: wild + "%"), .like(letters, pattern: wild + "%b%")]),
            rows(.parsedByte, [.cast(digits, .real)]),
            rows(.caseByte, [.textFunction(.upper, greek), .textFunction(.lower, greek)]),
            rows(.caseByte, [.textFunction(.upper, letters), .textFunction(.trim, greek)]),
            rows(.caseByte, [.concatenation([letters, greek])]),
            scan(.row, all([])),
            scan(.addition, all(each { Measure(.nonNull(.arithmetic(.add, number, integer($0), .integer))) })),
            scan(
                .addition,
                all([Measure(.histogram(tiny, edges: (0...1024).map { Double($0) * 0x1p-1074 }))])),
            scan(.discovery, grouped(number, [])),
            scan(.discovery, grouped(letters, [])),
            scan(.discovery, grouped(.textFunction(.lower, letters), [])),
            scan(.point, all([Measure(.gridValues(.cast(number, .real), lower: 0, step: 1, points: 1 << 20))])),
            Exercise(kind: .unit) { table.match() },
            Exercise(kind: .compile) {
                let program = ExpressionProgram(columns: table.columns, lookups: [], lookupRowCounts: [])
                let nested = (0..<60).reduce(number) { .arithmetic(.add, $0, integer(Int64($1)), .integer) }
                _ = program.compile(nested)
                return program.meter.work
            },
        ]
    }
}

/// Rows that are slow to work on, four chunks of them.
private final class CalibrationTable {
    static let rows = 4 * RowChunk.capacity
    let columns: [ColumnSchema]
    private let table: Table?

    init() {
        columns = [
            ColumnSchema(name: "number", type: .integer), ColumnSchema(name: "tiny", type: .real),
            ColumnSchema(name: "huge", type: .real), ColumnSchema(name: "moment", type: .timestamp),
            ColumnSchema(name: "letters", type: .text), ColumnSchema(name: "greek", type: .text),
            ColumnSchema(name: "digits", type: .text), ColumnSchema(name: "unit", type: .integer),
        ]
        let plan = IngestPlan(
            schema: Schema(columns: columns), unitColumn: 7, rowsPerUnit: 1,
            key: ClusteringKey(siteSecret: Array("calibration".utf8), population: "calibration"), onError: .null)
        let rows = (0..<Self.rows).map { row -> [Value] in
            let number = Int64(row &* 7_919)
            return [
                .integer(number << 24), .real(Double(row % 1_000 * 2 + 1) * 0x1p-1074),
                .real(1.7e308 - Double(row) * 1e292), .timestamp(number * 40_009),
                .text(String(repeating: "a", count: 110) + String(number)),
                .text(String(repeating: "\u{0390}\u{1f52}", count: 8) + String(number)),
                .text("\(number)." + String(repeating: "4940656458", count: 10) + "e-318"), .integer(Int64(row)),
            ]
        }
        table = try? Table(rows: rows, plan: plan)
    }

    func evaluate(_ expressions: [Expression]) -> Work {
        guard let table else { return Work() }
        let program = ExpressionProgram(source: .table(table), lookups: [])
        for expression in expressions { _ = program.compile(expression) }
        var isFirst = true
        RowSource.table(table).forEachChunk { chunk in
            if isFirst { program.evaluate(chunk) }
            isFirst = false
        }
        return program.meter.work
    }

    func scan(_ specification: AggregationSpecification) -> Work {
        guard let table else { return Work() }
        return BoundedAggregation(specification, source: .table(table)).run().work
    }

    func match() -> Work {
        guard let table else { return Work() }
        return Work([.unit: Double(2 * table.unitsShared(with: table))])
    }
}
