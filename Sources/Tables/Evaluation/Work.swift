/// The kinds of work that a scan consists of. What one unit of each takes is measured, never assumed: see
/// ``WorkCalibration``.
public enum WorkKind: Int, Sendable, Hashable, CaseIterable, Codable {
    /// Beginning and ending one scan: finding the reservation and the tables, reserving room.
    case scan
    /// A node of an expression that is compiled, its subexpressions hashed.
    case compile
    /// A row that is passed through: its unit, the filter's verdict, the bounds of contribution.
    case row
    /// A unit that is looked at: where a table is opened, and where two tables are matched.
    case unit
    /// One vector step on a row: a load, a comparison, logic, integers, dates as numbers.
    case step
    /// A real number's arithmetic on a row, at subnormal operands.
    case real
    /// An exponential, a logarithm or a rounding on a row.
    case transcendental
    /// A real remainder on a row, at the most distant exponents.
    case remainder
    /// A part of a date on a row.
    case calendar
    /// A probe of a hash table, or of the fixed cache of what a text gave.
    case probe
    /// An access to memory that no cache holds: in tables that may be large.
    case miss
    /// A number that is written as text.
    case format
    /// A byte of text that is compared, copied, hashed or searched.
    case byte
    /// A byte of text that is read as a number or date.
    case parsedByte
    /// A byte of text whose case is changed, and which is normalised.
    case caseByte
    /// 64 positions of a `LIKE` segment that holds `_`, for one byte of text.
    case pattern
    /// A key that was not there before.
    case discovery
    /// A measure's addition on a kept row.
    case addition
    /// A quantile's grid point on a kept row: counted, and later sorted.
    case point
    /// An occupied grid point, or a gap, that is weighed when a quantile is chosen.
    case item
    /// A number that gets noise.
    case noise
    /// A value of the answer, for each node of the expression that gives it.
    case value
    /// A cell of the answer, with its interval and flags, as it is put together and written as JSON.
    case cell
    /// A nanosecond of what was measured on made-up rows of the request's own shape.
    case measured
}

/// Amounts of work, by kind.
public struct Work: Sendable, Hashable {
    /// Amounts by the kind's number.
    private(set) public var units = [Double](repeating: 0, count: WorkKind.allCases.count)

    /// No work.
    public init() {}

    /// So much of each kind; of kinds that are not named, none.
    public init(_ units: [WorkKind: Double]) {
        for (kind, amount) in units { self.units[kind.rawValue] = amount }
    }

    /// How much there is of a kind.
    public subscript(kind: WorkKind) -> Double {
        get { units[kind.rawValue] }
        set { units[kind.rawValue] = newValue }
    }

    /// The work of both.
    public static func + (a: Work, b: Work) -> Work {
        var sum = a
        sum += b
        return sum
    }

    /// Adds the work of `b`.
    public static func += (a: inout Work, b: Work) {
        for place in a.units.indices { a.units[place] += b.units[place] }
    }

    /// Whether no kind exceeds `other`'s.
    public func isWithin(_ other: Work) -> Bool {
        zip(units, other.units).allSatisfy { $0 <= $1 }
    }
}

/// How long one unit of each kind takes on this machine, in nanoseconds.
public struct WorkSpeeds: Sendable, Hashable {
    /// By the kind's number; NaN where it is not known. A plan is weighed by it several times for each question.
    private var speeds: [Double]

    /// Speeds by the name of each kind; NaN for kinds that are not named.
    public init(nanoseconds: [String: Double]) {
        speeds = Self.names.map { nanoseconds[$0] ?? .nan }
    }

    private static let names = WorkKind.allCases.map { "\($0)" }

    /// The nanoseconds that one unit of a kind takes.
    public subscript(kind: WorkKind) -> Double {
        get { speeds[kind.rawValue] }
        set { speeds[kind.rawValue] = newValue }
    }

    /// Whether every kind has a speed that can be computed with.
    public var isComplete: Bool { speeds.allSatisfy { $0 > 0 && $0 < 1e12 } }

    /// Round numbers of a machine of 2024, for tests and where a kind is new.
    public static let reference = WorkSpeeds(nanoseconds: [
        "scan": 250_000, "compile": 60, "row": 6, "unit": 3, "step": 1.2, "real": 6, "transcendental": 50,
        "remainder": 3_000, "calendar": 6, "probe": 25, "miss": 20, "format": 200, "byte": 1.5, "parsedByte": 10,
        "caseByte": 200, "pattern": 20, "discovery": 70, "addition": 4, "point": 35, "item": 20, "noise": 60,
        "value": 200, "cell": 6_000, "measured": 1,
    ])

    /// The nanoseconds that the work takes.
    public func time(_ work: Work) -> Double {
        zip(work.units, speeds).reduce(0) { $0 + $1.0 * $1.1 }
    }
}

extension WorkSpeeds: Codable {
    private enum CodingKeys: CodingKey { case nanoseconds }

    /// By the kind's name, so that a stored value outlives a change of the list.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        self.init(nanoseconds: try container.decode([String: Double].self, forKey: .nanoseconds))
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(Dictionary(uniqueKeysWithValues: zip(Self.names, speeds)), forKey: .nanoseconds)
    }
}

/// Counts the work that a scan really does.
final class WorkMeter {
    private(set) var work = Work()
    /// The most bytes that the scan has held at the end of a chunk.
    private(set) var memory = 0.0

    @inline(__always)
    func add(_ kind: WorkKind, _ amount: Double) { work[kind] += amount }

    func add(_ work: Work) { self.work += work }

    func hold(_ bytes: Double) { memory = Swift.max(memory, bytes) }
}

/// Where a table of more entries no longer fits into a processor's cache.
let cachedEntries = 1 << 15
