import Secrets

/// The keys under which a table's units are named and their rows ordered: from the site's secret and the population.
///
/// A unit's 128-bit name depends on the site's secret and the unit's value alone, so that overlapping populations can be
/// noticed; the order of a unit's rows depends on (site secret, population, unit), docs/privacy.md, rule 11.
public struct ClusteringKey: Sendable {
    /// A key of `KeyedHash`, in words for many messages at once.
    struct Key: Sendable {
        var first: UInt64
        var second: UInt64

        @inline(__always)
        var hash: KeyedHash { KeyedHash(key0: first, key1: second) }
    }

    private let numbers: Key
    private let texts: KeyedHash
    private let arrays: KeyedHash
    private let orders: Key
    private let halves: Key

    /// `siteSecret`: at least 16 secret bytes, the same for all tables of a site.
    public init(siteSecret: [UInt8], population: String) {
        var words = (UInt64(0), UInt64(0))
        withUnsafeMutableBytes(of: &words) { $0.copyBytes(from: siteSecret.prefix(16)) }
        let first = KeyedHash(key0: UInt64(littleEndian: words.0), key1: UInt64(littleEndian: words.1))
        let root = Self.derive(first, "site", siteSecret).hash
        numbers = Self.derive(root, "unit number", [])
        texts = Self.derive(root, "unit text", []).hash
        arrays = Self.derive(root, "array", []).hash
        orders = Self.derive(root, "row order", Array(population.utf8))
        halves = Self.derive(root, "half", Array(population.utf8))
    }

    private static func derive(_ key: KeyedHash, _ purpose: String, _ bytes: [UInt8]) -> Key {
        let digest = key.hash(Array(purpose.utf8) + [0] + bytes)
        return Key(first: digest.first, second: digest.second)
    }

    /// The name of a unit that is a number, boolean, date or timestamp, by its word.
    @inline(__always)
    func unit(word: Int64) -> KeyedHash.Digest { numbers.hash.hash(UInt64(bitPattern: word)) }

    /// The first halves of the names of units that are no texts. `words` and `target` have room for
    /// `MessageHashing.slack` more.
    func units(words: UnsafePointer<Int64>, count: Int, into target: UnsafeMutablePointer<UInt64>) {
        let words = UnsafeRawPointer(words).assumingMemoryBound(to: UInt64.self)
        withUnsafeTemporaryAllocation(of: UInt64.self, capacity: 2) { key in
            key[0] = numbers.first
            key[1] = numbers.second
            withUnsafePointer(to: words) { columns in
                withUnsafePointer(to: Int64(count)) { end in
                    MessageHashing.best.hash(
                        UnsafeBufferPointer(start: columns, count: 1), keys: UnsafeBufferPointer(key),
                        ends: UnsafeBufferPointer(start: end, count: 1), into: target)
                }
            }
        }
    }

    /// 128 bits of an array's numbers, by which they are found again: whoever does not know the site's secret makes no two that have the same.
    public func array(_ bytes: UnsafeRawBufferPointer) -> String {
        let digest = arrays.hash(bytes)
        return String(digest.first, radix: 16) + "-" + String(digest.second, radix: 16)
    }

    /// The name of a unit that is a text.
    func unit(text: UnsafeRawBufferPointer) -> KeyedHash.Digest { texts.hash(text) }

    /// A text's contents as one word of a row.
    func content(text: UnsafeRawBufferPointer) -> UInt64 { orders.hash.hash(text).first }

    /// The key of one unit's shuffle.
    @inline(__always)
    func order(of unit: KeyedHash.Digest) -> Key {
        let digest = orders.hash.hash(unit.first, unit.second)
        return Key(first: digest.first, second: digest.second)
    }

    /// Whether a unit of that name is in the second half of the population, for what is measured on halves.
    func isSecondHalf(_ unit: KeyedHash.Digest) -> Bool { halves.hash.hash(unit.first, unit.second).first & 1 == 1 }

    /// A hash of what a row holds, word by word, for its half.
    var contents: KeyedHash.Stream { KeyedHash.Stream(halves.hash) }

    /// A text as one of these words.
    func half(text: String) -> UInt64 { halves.hash.hash(text).first }

    /// An array's numbers as one of these words.
    func half(bytes: UnsafeRawBufferPointer) -> UInt64 { halves.hash.hash(bytes).first }

    /// The key of the order of all rows, where each row is a unit.
    var wholeOrder: Key { orders }
}
