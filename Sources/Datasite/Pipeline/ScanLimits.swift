import DatasiteProtocol
import DifferentialPrivacy
import Foundation
import GRDB
import Query
import Secrets
public import Tables

/// What one scan may take on this site, and how fast the site is: public numbers, from which the times follow at which
/// answers leave (docs/privacy.md, rule 26).
public struct ScanLimits: Sendable, Hashable, Codable {
    /// Nanoseconds of each kind of work, measured when the site was made: on rows made up for it, never on its tables.
    public var speeds: WorkSpeeds
    /// The most that one question may be bound to compute, in seconds.
    public var seconds: Double
    /// The most bytes that all scans may hold together.
    public var memory: Double
    /// The most that one piece of long work may be bound to compute, in seconds; nil: ``defaultLongSeconds``.
    public var longSeconds: Double?

    static let defaultSeconds = 60.0
    /// An hour.
    public static let defaultLongSeconds = 3_600.0

    /// Half of the machine's memory, and one question a minute's work.
    static func measured() -> ScanLimits {
        var speeds = WorkCalibration.measure()
        (speeds[.noise], speeds[.item]) = (noiseNanoseconds(), itemNanoseconds())
        speeds[.cell] = cellNanoseconds()
        return ScanLimits(
            speeds: speeds, seconds: defaultSeconds,
            memory: Double(max(ProcessInfo.processInfo.physicalMemory / 2, 1 << 29)))
    }

    /// A draw of discrete Gaussian noise.
    private static func noiseNanoseconds() -> Double {
        var values = [Int64](repeating: 0, count: 1 << 14)
        var random = SecureRandom()
        guard let noise = try? DiscreteGaussian(sigma: 1_000) else { return WorkSpeeds.reference[.noise] }
        return best(of: 1 << 14, .noise) { noise.add(to: &values, using: &random) }
    }

    /// An occupied point, and the gap behind it, in the choice of a quantile.
    private static func itemNanoseconds() -> Double {
        let points = (0..<Int32(1 << 13)).map { $0 * 3 }
        let counts = points.map { Int64($0 % 5 + 1) }
        var random = SecureRandom()
        guard let quantile = try? PrivateQuantile(numerator: 9, denominator: 10, epsilon: 0.01) else {
            return WorkSpeeds.reference[.item]
        }
        return best(of: 1 << 14, .item) {
            _ = try? quantile.select(indices: points, counts: counts, points: 1 << 16, using: &random)
        }
    }

    /// A cell of an answer on its way to bytes, its numbers as long as they come.
    private static func cellNanoseconds() -> Double {
        let rows = (0..<64).map { row in
            (0..<16).map { column -> Answer.Cell in
                let number = Double(row * 16 + column) * 1_234.567_890_123
                return Answer.Cell(
                    value: .real(number), lower: .real(number - 0.123_456_789), upper: .real(number + 0.123_456_789),
                    flags: ["bounded", "selected", "thresholded"])
            }
        }
        // Its interval and flags take, of a mean, up to half as long as its JSON.
        return 1.5 * best(of: 64 * 16, .cell) { _ = try? AnswerEncoding.bytes(rows) }
    }

    private static func best(of count: Int, _ kind: WorkKind, _ body: () -> Void) -> Double {
        let times = (0..<4).map { _ in WorkCalibration.nanoseconds(body) }
        return max((times.min() ?? 0) / Double(count), WorkSpeeds.reference[kind] / 8)
    }

    /// Of a machine that nobody measured: for tests.
    static let reference = ScanLimits(speeds: .reference, seconds: defaultSeconds, memory: 0x1p33)

    private static let key = "scan-limits"

    static func read(_ db: Database) throws -> ScanLimits? {
        guard let text = try Meta.text(db, key),
            let limits = try? JSONDecoder().decode(ScanLimits.self, from: Data(text.utf8)), limits.speeds.isComplete
        else { return nil }
        return limits
    }

    func store(_ db: Database) throws {
        try Meta.set(db, Self.key, String(decoding: try JSONEncoder().encode(self), as: UTF8.self))
    }

    /// In words: public.
    public var words: String {
        "one question may be bound to compute for \(Self.words(seconds)), long work for "
            + "\(Self.words(longSeconds ?? Self.defaultLongSeconds)); scans may hold \(Self.megabytes(memory)) MB together"
    }

    /// How long the plan computes at most.
    func time(_ bound: PlanBound) -> Duration { .nanoseconds(Int64(min(speeds.time(bound.work), 1e18))) }

    /// Refuses what exceeds the limits, and names what is dear: from plan and public numbers alone.
    func check(_ bound: PlanBound, of engine: any EngineWork.Type, threads: Int) throws {
        let nanoseconds = speeds.time(bound.work)
        let seconds = engine.isLong ? longSeconds ?? Self.defaultLongSeconds : seconds
        guard nanoseconds <= seconds * 1e9 else {
            throw Problem.invalidQuestion(
                "\(engine.noun) may take \(Self.words(nanoseconds * 1e-9)) of computing on a table of the declared "
                    + "capacity, and \(engine.isLong ? "long work" : "one question") may take \(Self.words(seconds)) here"
                    + (engine.isLong ? "" : dearest(bound, nanoseconds)),
                hint: engine.isLong
                    ? "fewer epochs, a smaller model, or a larger limit: `parley site limits --long-time SECONDS`"
                    : "Ask for less at once; what the rows hold decides nothing of this.")
        }
        let share = memory / Double(threads)
        guard bound.memory <= share else {
            throw Problem.invalidQuestion(
                "\(engine.noun) may need \(Self.megabytes(bound.memory)) MB of memory on a table of the declared capacity, and "
                    + "\(engine.isLong ? "long work" : "one question") may use \(Self.megabytes(share)) MB here",
                hint: engine.isLong
                    ? "a smaller model, or a larger limit: `parley site limits --memory GIB`"
                    : "Group by fewer or bounded values, or compute fewer texts; what the rows hold decides nothing of this."
            )
        }
    }

    /// Refuses what needs more memory than all scans may use together: what an owner asks for has no smaller share.
    func checkMemory(of planned: PlannedWork) throws {
        let bound = planned.work.bound.memory
        guard bound <= memory else {
            throw Problem.invalidRequest(
                "\(planned.engine.noun) may need \(Self.megabytes(bound)) MB of memory on a table of the declared capacity, and "
                    + "all scans together may use \(Self.megabytes(memory)) MB here",
                hint: "ask for fewer rows or columns, or set another limit: `parley site limits --memory GIB`")
        }
    }

    private func dearest(_ bound: PlanBound, _ total: Double) -> String {
        let shares = bound.shares.map { (share: $0, time: speeds.time($0.work)) }
        guard let most = shares.max(by: { $0.time < $1.time }), most.time > total / 5 else {
            return ": most of it is for the number of rows and groups"
        }
        let place =
            switch most.share.part {
            case .filter: "WHERE"
            case .key(let index): "grouping key \(index + 1)"
            case .measure(let index): "aggregate \(index + 1)"
            }
        return ": \(most.share.operation) in \(place) takes \(Int(most.time / total * 100)) % of it"
    }

    private static func words(_ seconds: Double) -> String {
        // Whatever is named must differ from what it is compared with.
        if seconds < 1 { return "\(ShortNumber.text((seconds * 1e6).rounded() / 1e3)) ms" }
        if seconds < 120 { return "\(ShortNumber.text((seconds * 10).rounded() / 10)) s" }
        return seconds < 7_200 ? "\(Int(seconds / 60)) minutes" : "\(Int(min(seconds / 3600, 1e15))) hours"
    }

    private static func megabytes(_ bytes: Double) -> Int { Int(min((bytes / 1e6).rounded(.up), 1e15)) }
}

extension Datasite {
    /// What one question may take here.
    public var scanLimits: ScanLimits { limits }

    /// Sets what one question may take, or measures the machine's speed anew (after a move to another machine). A
    /// running server goes by what it found when it started.
    ///
    /// - Parameters:
    ///   - seconds: the most that one question may be bound to compute, from 0.001 to 3,600; nil: as it is.
    ///   - longSeconds: the most that one piece of long work may be bound to compute, from 0.001 to 10,000,000; nil: as it is.
    ///   - memory: the most bytes that all scans may hold together, at least 64 MiB; nil: as it is.
    public func setScanLimits(
        seconds: Double? = nil, longSeconds: Double? = nil, memory: Double? = nil, measure: Bool = false
    ) throws -> ScanLimits {
        try requireSound()
        var changed = measure ? ScanLimits.measured() : limits
        (changed.seconds, changed.memory) = (seconds ?? limits.seconds, memory ?? limits.memory)
        changed.longSeconds = longSeconds ?? limits.longSeconds
        guard (0.001...1e7).contains(changed.longSeconds ?? 1) else {
            throw Problem.invalidRequest("the time of long work is from 0.001 to 10000000 seconds")
        }
        guard changed.seconds >= 0.001, changed.seconds <= 3_600 else {
            throw Problem.invalidRequest("the time of one question is from 0.001 to 3600 seconds")
        }
        guard changed.memory >= 0x1p26, changed.memory <= 0x1p50 else {
            throw Problem.invalidRequest("the memory of all scans is at least 64 MiB")
        }
        let stored = changed
        try write { context in
            try stored.store(context.db)
            try context.journal(
                JournalEntry(
                    action: .limitsChanged, actor: Datasite.localOwner.name, time: context.now,
                    detail: stored.words + (measure ? "; speeds measured" : "")))
        }
        return stored
    }
}
