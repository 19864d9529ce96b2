/// What a column is computed of: the numbers of one of the table's arrays, row by row, such as an image's brightness.
public struct ArrayStatistic: Sendable, Hashable {
    /// What of a row's numbers.
    public enum Kind: String, Sendable, Hashable, CaseIterable {
        /// Their mean.
        case mean
        /// Their standard deviation: the root of their mean squared distance from their mean.
        case deviation
    }

    /// What of a row's numbers.
    public var kind: Kind
    /// The array's name.
    public var array: String

    /// That of the array with this name.
    public init(_ kind: Kind, of array: String) { (self.kind, self.array) = (kind, array) }

    /// Between which values it lies, whatever the numbers are: of a deviation, half the range is the most.
    public func bounds(_ array: ArraySchema) -> ClosedRange<Double> {
        switch kind {
        case .mean: array.lowerBound...array.upperBound
        case .deviation: 0...(array.upperBound - array.lowerBound) / 2
        }
    }

    /// That of one row's numbers, as they are stored.
    public func value(of numbers: UnsafeRawBufferPointer, _ element: ArraySchema.Element) -> Double {
        switch element {
        case .uint8:
            // Whole numbers, and their squares, are added up exactly.
            var (sum, squares) = (0, 0)
            for number in numbers {
                sum += Int(number)
                squares += Int(number) * Int(number)
            }
            let mean = Double(sum) / Double(max(1, numbers.count))
            guard kind == .deviation else { return mean }
            return max(0, Double(squares) / Double(max(1, numbers.count)) - mean * mean).squareRoot()
        case .float32:
            let count = numbers.count / 4
            func number(_ place: Int) -> Double {
                Double(
                    Float(bitPattern: numbers.loadUnaligned(fromByteOffset: 4 * place, as: UInt32.self).littleEndian))
            }
            var sum = 0.0
            for place in 0..<count { sum += number(place) }
            let mean = sum / Double(max(1, count))
            guard kind == .deviation else { return mean }
            var squares = 0.0
            for place in 0..<count { squares += (number(place) - mean) * (number(place) - mean) }
            return (squares / Double(max(1, count))).squareRoot()
        }
    }
}

extension ColumnSchema {
    /// A computed column's values as they are stored, and what a table's description says of them.
    ///
    /// - Parameter values: Row after row; they become what the column declares, rounded and clipped.
    public func stored(_ values: [Double]) -> (bytes: [UInt8], description: TableDescription.Column) {
        var values = values
        values.withUnsafeMutableBufferPointer { target in
            guard let start = target.baseAddress else { return }
            _ = DeclaredBounds(self)?.apply(to: start, count: target.count)
        }
        let bytes = values.withUnsafeBytes { Array($0) }
        return (
            bytes, TableDescription.Column(encoding: .reals(single: false), texts: nil, bounds: boundsPair)
        )
    }
}
