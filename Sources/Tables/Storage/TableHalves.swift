import Secrets

extension Table {
    /// Of each unit whether it is in the second of two halves, by a keyed hash of its name; where each row is a unit, of what the row holds.
    ///
    /// The key is the site's and the population's, so that nobody chooses where a unit is, and it stays there in each version and in every table of the population that names its
    /// units. Which half a unit is in follows from its own rows alone: that another is added or removed moves nobody.
    package func secondHalf(_ key: ClusteringKey) -> [Bool] {
        guard let unitHashes else { return (0..<rowCount).map { key.isSecondHalf(content($0, key)) } }
        return unitHashes.withBytes { bytes in
            (0..<unitCount).map { unit in
                func word(_ place: Int) -> UInt64 {
                    bytes.loadUnaligned(fromByteOffset: 16 * unit + 8 * place, as: UInt64.self)
                }
                return key.isSecondHalf(KeyedHash.Digest(first: word(0), second: word(1)))
            }
        }
    }

    /// All of a row: identical rows are in the same half.
    private func content(_ row: Int, _ key: ClusteringKey) -> KeyedHash.Digest {
        var stream = key.contents
        for column in columns.indices {
            let word =
                switch value(column, row) {
                case .null: UInt64.max
                case .integer(let number), .date(let number), .timestamp(let number): UInt64(bitPattern: number)
                case .boolean(let isTrue): UInt64(isTrue ? 1 : 0)
                case .real(let number): number.bitPattern
                case .text(let text): key.half(text: text)
                }
            stream.combine(word)
        }
        for (array, schema) in zip(arrays, schema.arrays) {
            array.withBytes { bytes in
                let own = UnsafeRawBufferPointer(
                    rebasing: bytes[row * schema.rowBytes..<(row + 1) * schema.rowBytes])
                stream.combine(key.half(bytes: own))
            }
        }
        return stream.finalize()
    }
}
