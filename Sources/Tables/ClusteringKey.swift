import Secrets

/// The keys under which a table's units are named and their rows ordered: from the site's secret and the population.
///
/// A unit's 128-bit name depends on the site's secret and the unit's value alone, so that overlapping populations can be
/// noticed; the order of a unit's rows depends on (site secret, population, unit), PRIVACY.md, rule 11.
public struct ClusteringKey: Sendable {
    private let numbers: KeyedHash
    private let texts: KeyedHash
    private let orders: KeyedHash

    /// `siteSecret`: at least 16 secret bytes, the same for all tables of a site.
    public init(siteSecret: [UInt8], population: String) {
        var words = (UInt64(0), UInt64(0))
        withUnsafeMutableBytes(of: &words) { $0.copyBytes(from: siteSecret.prefix(16)) }
        let first = KeyedHash(key0: words.0, key1: words.1)
        let root = Self.derive(first, "parley site \(siteSecret.count)", siteSecret)
        numbers = Self.derive(root, "unit number", [])
        texts = Self.derive(root, "unit text", [])
        orders = Self.derive(root, "row order", Array(population.utf8))
    }

    private static func derive(_ key: KeyedHash, _ purpose: String, _ bytes: [UInt8]) -> KeyedHash {
        let hash = key.hash(Array(purpose.utf8) + [0] + bytes)
        return KeyedHash(key0: hash.0, key1: hash.1)
    }

    /// The name of a unit that is a number, boolean, date or timestamp, by its word.
    @inline(__always)
    func unit(word: UInt64) -> UnitHash {
        let hash = numbers.hash(word: word)
        return UnitHash(high: hash.0, low: hash.1)
    }

    /// The name of a unit that is a text.
    func unit(text: UnsafeRawBufferPointer) -> UnitHash {
        let hash = texts.hash(text)
        return UnitHash(high: hash.0, low: hash.1)
    }

    /// A text's contents as one word of a row.
    func content(text: UnsafeRawBufferPointer) -> UInt64 {
        orders.hash(text).0
    }

    /// The key of one unit's shuffle.
    @inline(__always)
    func order(of unit: UnitHash) -> KeyedHash {
        let hash = orders.hash(words: unit.high, unit.low)
        return KeyedHash(key0: hash.0, key1: hash.1)
    }

    /// The key of the order of rows each of which is a unit.
    var wholeOrder: KeyedHash { orders }
}

/// A unit's name inside the site: 128 bits of a keyed hash.
struct UnitHash: Hashable, Comparable {
    var high: UInt64
    var low: UInt64

    @inline(__always)
    static func < (left: UnitHash, right: UnitHash) -> Bool {
        left.high != right.high ? left.high < right.high : left.low < right.low
    }
}
