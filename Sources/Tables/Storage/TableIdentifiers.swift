package import Foundation

/// What identifies the people of a table, as it is compared with another site's: private, as the rows are. It prints nothing.
package struct TableIdentifiers: Sendable {
    /// Distinct, in the table's own keyed order (docs/privacy.md, rule 11).
    package let identifiers: [Data]
    /// How many distinct ones there are beyond the most that were asked for: those that come last in that order.
    package let leftOut: Int
}

extension TableIdentifiers {
    /// The values of an identifier's columns, in their order, as text; nil: it is none of so many columns.
    ///
    /// - Parameter types: Of the columns: dates and timestamps are written as such.
    package static func values(of identifier: Data, _ types: [ValueType]) -> [String]? {
        var (rest, values) = (identifier[...], [String]())
        for type in types {
            guard rest.count >= 2 else { return nil }
            let length = Int(rest[rest.startIndex]) << 8 | Int(rest[rest.startIndex + 1])
            rest = rest.dropFirst(2)
            guard rest.count >= length, let text = String(bytes: rest.prefix(length), encoding: .utf8) else {
                return nil
            }
            rest = rest.dropFirst(length)
            switch type {
            case .date: values.append(Int64(text).flatMap(CivilText.date) ?? text)
            case .timestamp: values.append(Int64(text).flatMap(CivilText.timestamp) ?? text)
            case .text, .integer, .boolean, .real: values.append(text)
            }
        }
        return rest.isEmpty ? values : nil
    }
}

extension TableIdentifiers: CustomReflectable {
    /// Shows nothing.
    package var customMirror: Mirror { Mirror(self, children: []) }
}

extension Table {
    /// The distinct values of columns, as bytes that are the same at every site.
    ///
    /// For each column two bytes of length, big-endian, and the value: text as its UTF-8 in normalisation form C, as it is stored; a whole number in decimal, with a hyphen in front
    /// below 0; a date as its days since 1970-01-01, a timestamp as its seconds since then, so too. A row of which one is missing, or is what the manifest puts in the place of values
    /// outside a domain, identifies nobody.
    ///
    /// - Parameters:
    ///   - columns: Positions in the schema, of no real numbers.
    ///   - most: More are left out: the same ones whenever this version of the table is asked.
    package func identifiers(of columns: [Int], atMost most: Int) -> TableIdentifiers {
        var seen = Set<Data>(minimumCapacity: min(rowCount, most))
        var found: [Data] = []
        for row in 0..<rowCount {
            guard let identifier = identifier(ofRow: row, columns), seen.insert(identifier).inserted else { continue }
            if found.count < most { found.append(identifier) }
        }
        return TableIdentifiers(identifiers: found, leftOut: seen.count - found.count)
    }

    private func identifier(ofRow row: Int, _ columns: [Int]) -> Data? {
        var bytes = Data()
        for column in columns {
            let value = value(column, row)
            if value == schema.columns[column].other { return nil }
            switch value {
            case .null, .real, .boolean: return nil
            case .text(let text): Self.append(text, to: &bytes)
            case .integer(let number), .date(let number), .timestamp(let number):
                Self.append(String(number), to: &bytes)
            }
        }
        return bytes
    }

    private static func append(_ text: String, to bytes: inout Data) {
        let length = UInt16(clamping: text.utf8.count)
        bytes.append(contentsOf: [UInt8(length >> 8), UInt8(length & 255)])
        bytes.append(contentsOf: text.utf8)
    }
}
