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
        let first = KeyedHash(key0: UInt64(littleEndian: words.0), key1: UInt64(littleEndian: words.1))
        let root = Self.derive(first, "site", siteSecret)
        numbers = Self.derive(root, "unit number", [])
        texts = Self.derive(root, "unit text", [])
        orders = Self.derive(root, "row order", Array(population.utf8))
    }

    private static func derive(_ key: KeyedHash, _ purpose: String, _ bytes: [UInt8]) -> KeyedHash {
        let digest = key.hash(Array(purpose.utf8) + [0] + bytes)
        return KeyedHash(key0: digest.first, key1: digest.second)
    }

    /// The name of a unit that is a number, boolean, date or timestamp, by its word.
    @inline(__always)
    func unit(word: Int64) -> KeyedHash.Digest { numbers.hash(UInt64(bitPattern: word)) }

    /// The name of a unit that is a text.
    func unit(text: UnsafeRawBufferPointer) -> KeyedHash.Digest { texts.hash(text) }

    /// A text's contents as one word of a row.
    func content(text: UnsafeRawBufferPointer) -> UInt64 { orders.hash(text).first }

    /// The key of one unit's shuffle.
    @inline(__always)
    func order(of unit: KeyedHash.Digest) -> KeyedHash {
        let digest = orders.hash(unit.first, unit.second)
        return KeyedHash(key0: digest.first, key1: digest.second)
    }

    /// The key of the order of rows each of which is a unit.
    var wholeOrder: KeyedHash { orders }
}
