import Crypto
import DatasiteProtocol
import DifferentialPrivacy
import Foundation

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// The generation counter outside the database (docs/privacy.md, rule 9): an old copy of the database that is put in place of
/// the present one has fewer generations than this file remembers.
///
/// After each commit, before anyone is told of it, the file is given the database's generation, what each population had
/// spent and the journal's last entry with its hash. So a database behind the file lost commits that were acknowledged; one ahead of it (a crash between commit
/// and file) lost none. The file is not synchronised at each commit: after a power failure it may be older than the
/// database by what the kernel had not written, which is harmless, and the owner would have to restore a copy made
/// within those seconds to go unnoticed.
///
/// Two slots are written in turn, each with its digest, so that a torn write leaves the other.
struct GenerationFile: Sendable {
    /// What a slot remembers.
    struct Record: Equatable, Sendable {
        struct Spent: Equatable, Sendable {
            /// The first 8 bytes of SHA-256 of its name: a population that the restored database does not know is
            /// charged when it is added again.
            var population: Int64
            var loss: PrivacyLoss

            static func tag(_ name: String) -> Int64 {
                SHA256.hash(data: Array(name.utf8)).prefix(8).reduce(0) { $0 << 8 | Int64($1) }
            }
        }

        var generation: Int64
        /// The populations' spending, or nil where it is more than fits: then what was lost is not known.
        var spent: [Spent]?
        /// The journal's last entry; nil in a file of an earlier version.
        var head: Journal.Head?
    }

    static let slotBytes = 4_096
    /// What fits beside digest, length, generation, count and head.
    static let largestWords = slotBytes / 8 - 12

    let path: String

    /// The newest valid record; nil if the file is missing or no slot is whole.
    func read() throws -> Record? {
        let file = open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else {
            if errno == ENOENT { return nil }
            throw Problem.unavailable("\(path) cannot be read: \(SiteFolder.reason())")
        }
        defer { close(file) }
        guard flock(file, LOCK_SH) == 0 else { throw Problem.unavailable("\(path) cannot be locked") }
        return Self.newest(file)?.record
    }

    /// Remembers a record unless the file already holds a later one (another process wrote it).
    func advance(to record: Record) throws {
        let file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw Problem.unavailable("\(path) cannot be written: \(SiteFolder.reason())") }
        defer { close(file) }
        guard flock(file, LOCK_EX) == 0 else { throw Problem.unavailable("\(path) cannot be locked") }
        let present = Self.newest(file)
        if let present, present.record.generation >= record.generation { return }
        try write(record, slot: present.map { 1 - $0.slot } ?? 0, to: file, synchronize: false)
    }

    /// Replaces what the file holds: after the owner accepted a restore.
    func reset(to record: Record) throws {
        let file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw Problem.unavailable("\(path) cannot be written: \(SiteFolder.reason())") }
        defer { close(file) }
        guard flock(file, LOCK_EX) == 0 else { throw Problem.unavailable("\(path) cannot be locked") }
        try write(record, slot: 0, to: file, synchronize: true)
        try write(record, slot: 1, to: file, synchronize: true)
    }

    private func write(_ record: Record, slot: Int, to file: Int32, synchronize: Bool) throws {
        let bytes = Self.encode(record)
        guard pwrite(file, bytes, bytes.count, off_t(slot * Self.slotBytes)) == bytes.count,
            !synchronize || fsync(file) == 0
        else { throw Problem.unavailable("\(path) cannot be written: \(SiteFolder.reason())") }
    }

    private static func newest(_ file: Int32) -> (slot: Int, record: Record)? {
        var best: (slot: Int, record: Record)?
        for slot in 0..<2 {
            var bytes = [UInt8](repeating: 0, count: slotBytes)
            let count = pread(file, &bytes, slotBytes, off_t(slot * slotBytes))
            guard count > 0, let record = decode(Array(bytes.prefix(count))) else { continue }
            if best.map({ $0.record.generation < record.generation }) ?? true { best = (slot, record) }
        }
        return best
    }

    // Layout, little-endian: SHA-256 of the rest; the rest's length in words; generation; the number of populations or
    // -1; for each its tag, kind (0 pure, 1 zCDP, 2 Rényi), amounts and delta; the number of the journal's last entry and the four
    // words of its hash, which a file of an earlier version has not.
    private static let kinds: [PrivacyLossKind] = [.pure, .zeroConcentrated, .renyi]

    static func encode(_ record: Record) -> [UInt8] {
        var spent: [Int64] = []
        for population in record.spent ?? [] {
            let kind = kinds.firstIndex(of: population.loss.kind) ?? 0
            spent += [population.population, Int64(kind)] + population.loss.amounts + [population.loss.delta]
        }
        let isKnown = record.spent != nil && spent.count <= largestWords
        var words = [record.generation, isKnown ? Int64(record.spent?.count ?? 0) : -1] + (isKnown ? spent : [])
        if let head = record.head { words += [head.number] + Self.words(head.hash) }
        var rest: [UInt8] = []
        for word in [Int64(words.count)] + words { withUnsafeBytes(of: word.littleEndian) { rest += $0 } }
        return Array(SHA256.hash(data: rest)) + rest
    }

    static func decode(_ bytes: [UInt8]) -> Record? {
        func word(_ index: Int) -> Int64? {
            let start = 32 + index * 8
            guard index >= 0, start + 8 <= bytes.count else { return nil }
            return Int64(
                littleEndian: bytes[start..<start + 8].withUnsafeBytes { $0.loadUnaligned(as: Int64.self) })
        }
        guard let count = word(0), count >= 2, count <= Int64(slotBytes / 8), word(Int(count)) != nil,
            Array(SHA256.hash(data: bytes[32..<(40 + Int(count) * 8)])) == Array(bytes.prefix(32)),
            let generation = word(1), let populations = word(2)
        else { return nil }
        var place = 3
        var spent: [Record.Spent] = []
        while spent.count < populations, place <= Int(count) {
            guard let tag = word(place), let kind = word(place + 1).flatMap({ Int(exactly: $0) }),
                kinds.indices.contains(kind)
            else { return nil }
            let length = kinds[kind].amountCount
            let amounts = (0..<length).compactMap { word(place + 2 + $0) }
            guard let delta = word(place + 2 + length),
                let loss = PrivacyLoss(kind: kinds[kind], amounts: amounts, delta: delta)
            else { return nil }
            spent.append(Record.Spent(population: tag, loss: loss))
            place += 3 + length
        }
        let end = place - 1
        guard populations < 0 || spent.count == populations, Int(count) == end || Int(count) == end + 5 else {
            return nil
        }
        var head: Journal.Head?
        if Int(count) > end, let number = word(end + 1) {
            let start = 40 + 8 * (end + 1)
            head = Journal.Head(number: number, hash: Array(bytes[start..<start + 32]))
        }
        return Record(generation: generation, spent: populations < 0 ? nil : spent, head: head)
    }

    /// A hash as words, whose bytes in the file are the hash's own.
    private static func words(_ hash: [UInt8]) -> [Int64] {
        stride(from: 0, to: hash.count, by: 8).map { start in
            hash[start..<start + 8].reversed().reduce(0) { $0 << 8 | Int64($1) }
        }
    }
}
