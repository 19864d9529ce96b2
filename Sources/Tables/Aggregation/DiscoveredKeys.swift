import Secrets

/// Numbers distinct words in the order of first sight, by open addressing under a random seed: no choice of words makes
/// it slow.
struct WordTable {
    private(set) var words: [Int64] = []
    private var slots = [Int32](repeating: -1, count: 16)
    /// Random for each process, and secret: whoever knew it could choose words that collide.
    private static let seed: (UInt64, UInt64) = {
        var random = SecureRandom()
        return (random.next(), random.next() | 1)
    }()

    var count: Int { words.count }

    /// Bytes held now; while it grows, half as much more.
    var heldBytes: Double { Double(words.capacity * 8 + slots.count * 4) }

    /// The most that it holds for each word, growth included.
    static let bytesPerWord = 48.0

    @inline(__always)
    func code(of word: Int64) -> Int32? {
        let code = slots[slot(of: word)]
        return code < 0 ? nil : code
    }

    /// The number of the word, which it has from now on.
    @inline(__always)
    mutating func insert(_ word: Int64) -> Int32 {
        let slot = slot(of: word)
        if slots[slot] >= 0 { return slots[slot] }
        let code = Int32(truncatingIfNeeded: words.count)
        words.append(word)
        slots[slot] = code
        if words.count > slots.count / 2 { grow() }
        return code
    }

    private mutating func grow() {
        slots = [Int32](repeating: -1, count: slots.count * 2)
        for (code, word) in words.enumerated() { slots[slot(of: word)] = Int32(truncatingIfNeeded: code) }
    }

    @inline(__always)
    private func slot(of word: Int64) -> Int {
        let product = (UInt64(bitPattern: word) ^ Self.seed.0).multipliedFullWidth(by: Self.seed.1)
        let mask = slots.count - 1
        var slot = Int(truncatingIfNeeded: (product.high ^ product.low) >> 7) & mask
        while slots[slot] >= 0, words[Int(slots[slot])] != word { slot = (slot + 1) & mask }
        return slot
    }
}

/// Numbers distinct texts in the order of first sight; it keeps their bytes.
final class TextTable {
    private let bytes = GrowingBytes()
    private var ends: [Int] = []
    private var hashes: [Int] = []
    private var slots = [Int32](repeating: -1, count: 16)

    deinit { bytes.deallocate() }

    var count: Int { ends.count }

    var heldBytes: Double { Double(bytes.capacity + ends.capacity * 8 + hashes.capacity * 8 + slots.count * 4) }

    /// The most that it holds for each text beside its bytes, growth included; its bytes count three times.
    static let bytesPerText = 72.0

    func code(of text: UnsafeRawBufferPointer) -> Int32? {
        let code = slots[slot(of: text, Self.hash(text))]
        return code < 0 ? nil : code
    }

    func insert(_ text: UnsafeRawBufferPointer) -> Int32 {
        let hash = Self.hash(text)
        let slot = slot(of: text, hash)
        if slots[slot] >= 0 { return slots[slot] }
        let code = Int32(truncatingIfNeeded: ends.count)
        bytes.append(text)
        ends.append(bytes.count)
        hashes.append(hash)
        slots[slot] = code
        if ends.count > slots.count / 2 { grow() }
        return code
    }

    func text(_ code: Int) -> String { String(decoding: stored(code), as: UTF8.self) }

    private func stored(_ code: Int) -> UnsafeRawBufferPointer {
        let start = code == 0 ? 0 : ends[code - 1]
        return UnsafeRawBufferPointer(start: bytes.start + start, count: ends[code] - start)
    }

    private func grow() {
        slots = [Int32](repeating: -1, count: slots.count * 2)
        let mask = slots.count - 1
        for (code, hash) in hashes.enumerated() {
            var slot = hash & mask
            while slots[slot] >= 0 { slot = (slot + 1) & mask }
            slots[slot] = Int32(truncatingIfNeeded: code)
        }
    }

    private func slot(of text: UnsafeRawBufferPointer, _ hash: Int) -> Int {
        let mask = slots.count - 1
        var slot = hash & mask
        while slots[slot] >= 0 {
            let code = Int(slots[slot])
            if hashes[code] == hash, compareBytes(stored(code), text) == 0 { break }
            slot = (slot + 1) & mask
        }
        return slot
    }

    /// Under the process's own random seed.
    private static func hash(_ text: UnsafeRawBufferPointer) -> Int {
        var hasher = Hasher()
        hasher.combine(bytes: text)
        return hasher.finalize()
    }
}

/// Remembers the results of a function of texts: for every interned text (they are few, and public), and for the other
/// texts that were met last. Its size does not depend on the texts.
struct TextCache {
    /// Places for texts that are not interned. Texts whose numbers follow each other, if they are no more than this, do
    /// not share places.
    static let size = 1024
    private let internedStart: Int64
    private var ofInterned: [Int64]
    private var numbers = [Int64](repeating: -1, count: Self.size)
    private var results = [Int64](repeating: 0, count: Self.size)

    private static let unknown = Int64.min + 1

    init(_ pool: TextPool) {
        internedStart = Int64(pool.internedStart)
        ofInterned = [Int64](repeating: Self.unknown, count: pool.internedCount)
    }

    static func heldBytes(interned: Double) -> Double { Double(size * 16) + 8 * interned }

    @inline(__always)
    subscript(number: Int64) -> Int64? {
        let own = number &- internedStart
        if own >= 0, own < ofInterned.count {
            let known = ofInterned[Int(own)]
            return known == Self.unknown ? nil : known
        }
        let place = Int(truncatingIfNeeded: number) & (Self.size - 1)
        return numbers[place] == number ? results[place] : nil
    }

    @inline(__always)
    mutating func store(_ result: Int64, of number: Int64) {
        let own = number &- internedStart
        if own >= 0, own < ofInterned.count {
            ofInterned[Int(own)] = result
            return
        }
        let place = Int(truncatingIfNeeded: number) & (Self.size - 1)
        numbers[place] = number
        results[place] = result
    }
}

/// How many different text numbers a node can give, where that is public: those of interned texts, and those of one
/// column.
struct TextVariety: Hashable {
    var interned = 0.0
    var column: Int?
    var ofColumn = 0.0

    var count: Double { interned + ofColumn }

    /// What a choice between two nodes can give; nil where numbers of two columns could share places of the cache.
    func union(_ other: TextVariety) -> TextVariety? {
        guard column == nil || other.column == nil || column == other.column else { return nil }
        return TextVariety(
            interned: interned + other.interned, column: column ?? other.column,
            ofColumn: Swift.max(ofColumn, other.ofColumn))
    }
}
