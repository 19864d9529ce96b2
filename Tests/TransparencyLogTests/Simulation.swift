import Secrets

@testable import TransparencyLog

/// A log, two witnesses and a monitor, each of which crashes at any of its writes, out of one seed.
final class Simulation {
    struct Crash: Error {}

    /// What a log keeps durably.
    struct LogDisk {
        var tiles: [TilePath: [UInt8]] = [:]
        /// The head that may be signed: stored before it is.
        var head = TreeHead.empty
        var published: SignedCheckpoint?
    }

    /// What a monitor reports.
    enum Alarm: Equatable {
        case wentBack
        case splitView(SplitView)
    }

    private var random: SeededGenerator
    private let crashesPerMille: Int
    private let key: SigningKey
    private let witnessKeys: [SigningKey]
    private(set) var log = LogDisk()
    private var contacts: [WitnessContact] = []
    private let stores: [WitnessStore]
    private(set) var follower: LogFollower
    private var clock: UInt64 = 1_000_000
    private var requests: [[UInt8]] = []
    private var entryNumber = 0

    private(set) var crashes = 0
    private(set) var restarts = 0
    private(set) var alarms: [Alarm] = []
    /// Cosignatures that left a witness, by witness.
    private(set) var cosigned: [[TreeHead]] = [[], []]
    private(set) var aheadCount = 0

    init(seed: UInt64, crashesPerMille: Int) throws {
        random = SeededGenerator(seed: seed)
        self.crashesPerMille = crashesPerMille
        let key = try SigningKey(
            name: KeyName("log.example/hospital"), kind: .ed25519, seed: Array(repeating: 1, count: 32))
        self.key = key
        witnessKeys = try (0..<2).map { try cosigner("witness.example/w\($0)", seed: UInt8(20 + $0)) }
        let identity = LogIdentity(key: key.verifierKey)
        stores = [WitnessStore([identity]), WitnessStore([identity])]
        follower = LogFollower(log: identity, cosigners: witnessKeys.map(\.verifierKey))
        contacts = try freshContacts()
    }

    var identity: LogIdentity { follower.log }
    var histories: [[TreeHead]] { stores.map(\.history) }

    private func freshContacts() throws -> [WitnessContact] {
        try witnessKeys.map { try WitnessContact(key: $0.verifierKey) }
    }

    /// A write that may not happen, or may be the last thing that does.
    private func write(_ body: () -> Void) throws {
        try mayCrash()
        body()
        try mayCrash()
    }

    private func mayCrash() throws {
        guard random.below(1000) < crashesPerMille else { return }
        crashes += 1
        throw Crash()
    }

    /// Runs a process until it ends or crashes; what it had in memory is gone then.
    private func run(_ body: () throws -> Void) throws {
        do { try body() } catch is Crash { restarts += 1 }
    }

    // MARK: The log

    /// One life of the log: it starts from its disk, appends, and publishes until it crashes or is done.
    func logLife(rounds: Int, entries: String = "entry") throws {
        try run {
            contacts = try freshContacts()
            var writer = try TileWriter(resuming: log.head, read: read)
            // What was stored may have been signed before the crash: it is shown first.
            try publish(writer.head)
            for _ in 0..<rounds {
                for _ in 0..<random.below(random.below(8) == 0 ? 300 : 6) {
                    // Never the same entry again: a head that was not stored is grown otherwise after a crash.
                    entryNumber += 1
                    try writer.append(Array("\(entries) \(entryNumber)".utf8))
                }
                for write in writer.takeWrites() { try writeTile(write) }
                let head = writer.head
                try write { log.head = head }
                try publish(head)
            }
        }
    }

    /// A tile's write may be cut in its middle.
    private func writeTile(_ tile: TileWrite) throws {
        if random.below(1000) < crashesPerMille {
            log.tiles[tile.path] = Array(tile.bytes.prefix(random.below(tile.bytes.count)))
            crashes += 1
            throw Crash()
        }
        try write { log.tiles[tile.path] = tile.bytes }
    }

    private func read(_ path: TilePath) throws -> [UInt8] {
        guard let bytes = log.tiles[path] else { throw TestLog.Missing(path: path) }
        return bytes
    }

    private func publish(_ head: TreeHead) throws {
        var signed = try SignedCheckpoint(
            signing: Checkpoint(origin: identity.origin, head: head), with: [key.signer])
        try mayCrash()
        var tiles = try VerifiedTiles(head: head, read: read)
        for number in contacts.indices {
            if let line = try askForCosignature(number, signed, &tiles) { signed = try signed.adding([line]) }
        }
        let checkpoint = signed
        try write { log.published = checkpoint }
    }

    private func askForCosignature(
        _ number: Int, _ signed: SignedCheckpoint, _ tiles: inout VerifiedTiles
    ) throws -> NoteSignature? {
        for _ in 0..<3 {
            guard contacts[number].size <= signed.head.size else { return nil }
            let body = try contacts[number].request(for: signed, tiles: &tiles).bytes
            requests.append(body)
            guard let reply = try ask(number, body) else { return nil }
            switch try contacts[number].receive(reply, for: signed, latestTime: clock + 60) {
            case .cosigned(let line, _): return line
            case .askAgain: continue
            case .ahead:
                aheadCount += 1
                return nil
            case .refused: return nil
            }
        }
        return nil
    }

    // MARK: The witnesses

    /// A witness's answer; nil where it crashed on the way.
    private func ask(_ number: Int, _ body: [UInt8]) throws -> WitnessReply? {
        clock += 1
        let store = stores[number]
        var reply: WitnessReply?
        try run {
            let witness = try Witness(cosigner: witnessKeys[number].signer)
            switch try witness.decide(body, at: clock, record: { store.records[$0] }) {
            case .refuse(let refusal, _): reply = refusal
            case .repeatReply(let stored): reply = stored
            case .cosign(let pending):
                let answer = try pending.reply { before, after in
                    var stored = false
                    try write { stored = store.swap(before, after) }
                    return stored
                }
                reply = answer
                if let head = store.records[identity.origin]?.latest?.head { cosigned[number].append(head) }
            }
        }
        return reply
    }

    /// Somebody sends an old request again, or a damaged one.
    func replay() throws {
        guard !requests.isEmpty else { return }
        var body = requests[random.below(requests.count)]
        if random.below(2) == 0 { body[random.below(body.count)] ^= UInt8(1 << random.below(8)) }
        _ = try ask(random.below(2), body)
    }

    // MARK: The monitor

    func monitor() throws {
        guard let published = log.published else { return }
        clock += 1
        try run {
            switch try follower.step(to: published, latestTime: clock + 60, read: read) {
            case .first(let next), .grew(let next, _): try write { follower = next }
            case .same: break
            case .wentBack: alarms.append(.wentBack)
            case .splitView(let split): alarms.append(.splitView(split))
            }
        }
    }

    // MARK: Faults that are planted

    /// The log's disk comes from a backup.
    func restore(_ backup: LogDisk) { log = backup }
}
