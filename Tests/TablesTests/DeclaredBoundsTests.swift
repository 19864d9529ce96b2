import Testing

@testable import Tables

@Suite("What a declaration makes of a column's numbers (docs/privacy.md, rule 28)")
struct DeclaredBoundsTests {
    private func apply(_ schema: ColumnSchema, _ values: [Value]) throws -> (values: [Value], outside: Int) {
        let bounds = try #require(DeclaredBounds(schema))
        let isReal = schema.type == .real
        var words = values.map { $0.word ?? (isReal ? nullReal : ColumnEncoding.null) }
        let outside = words.withUnsafeMutableBufferPointer { words in
            words.baseAddress.map { bounds.apply(to: $0, count: words.count) } ?? 0
        }
        return (
            words.map { word in
                if !isReal { return word == ColumnEncoding.null ? .null : .integer(word) }
                let number = Double(bitPattern: UInt64(bitPattern: word))
                return number.isNaN ? .null : .real(number)
            }, outside
        )
    }

    @Test("What lies on a bound is inside; what lies beyond becomes the bound, or null, and is counted")
    func clipping() throws {
        var real = ColumnSchema(name: "x", type: .real, lowerBound: -1.5, upperBound: 4)
        let reals: [Value] = [.real(-1.5), .real(4), .real(4.0.nextUp), .real((-1.5).nextDown), .real(0), .null]
        var result = try apply(real, reals)
        #expect(result.values == [.real(-1.5), .real(4), .real(4), .real(-1.5), .real(0), .null])
        #expect(result.outside == 2)
        real.outsideIsNull = true
        result = try apply(real, reals)
        #expect(result.values == [.real(-1.5), .real(4), .null, .null, .real(0), .null])
        #expect(result.outside == 2)

        var integer = ColumnSchema(name: "n", type: .integer, lowerBound: -1.5, upperBound: 4.9)
        let integers: [Value] = [.integer(-1), .integer(4), .integer(5), .integer(-2), .null]
        result = try apply(integer, integers)
        #expect(result.values == [.integer(-1), .integer(4), .integer(4), .integer(-1), .null])
        #expect(result.outside == 2)
        integer.outsideIsNull = true
        result = try apply(integer, integers)
        #expect(result.values == [.integer(-1), .integer(4), .null, .null, .null])
        #expect(result.outside == 2)
    }

    @Test("A number half-way between two multiples of the resolution becomes the one farther from the lower bound")
    func rounding() throws {
        let integer = ColumnSchema(name: "n", type: .integer, lowerBound: 3, upperBound: 1_000, resolution: 10)
        let result = try apply(integer, [3, 7, 8, 9, 13, 17, 18].map(Value.integer))
        #expect(result.values == [3, 3, 13, 13, 13, 13, 23].map(Value.integer))
        #expect(result.outside == 0)
        let real = ColumnSchema(name: "x", type: .real, lowerBound: 0, upperBound: 1, resolution: 0.1)
        #expect(
            try apply(real, [0.05, 0.0499, 0.25, 0.29, 0.31].map(Value.real)).values
                == [0.1, 0, 0.3, 0.3, 0.3].map(Value.real))
        // Without a lower bound multiples are counted from 0, on both sides.
        let open = ColumnSchema(name: "n", type: .integer, upperBound: 100, resolution: 4)
        #expect(
            try apply(open, [-7, -6, -5, -2, -1, 1, 2, 5, 6].map(Value.integer)).values
                == [-8, -8, -4, -4, 0, 0, 4, 4, 8].map(Value.integer))
    }
}
