/// How near each vector is to its neighbours (Blanchard et al. 2017): the scores of Krum and multi-Krum.
struct Krum {
    private typealias Lanes = SIMD8<Double>

    /// How many coordinates are compared at a time, in eights: those of all vectors stay in a processor's cache.
    private static let chunk = 32
    private let count: Int
    /// Squared L2 distances, row by row.
    private let distances: [Double]

    /// - Parameter vectors: All of one length, of finite entries.
    init(_ vectors: [[Float]]) {
        let (count, length) = (vectors.count, vectors[0].count)
        self.count = count
        var distances = [Double](repeating: 0, count: count * count)
        var rows = [Lanes](repeating: Lanes(), count: count * Self.chunk)
        let width = Self.chunk * Lanes.scalarCount
        for start in stride(from: 0, to: length, by: width) {
            let lanes = Self.load(&rows, vectors, start..<min(start + width, length))
            rows.withUnsafeBufferPointer { rows in
                for first in 0..<count {
                    for second in first + 1..<count {
                        var sum = Lanes()
                        for index in 0..<lanes {
                            let difference = rows[first * Self.chunk + index] - rows[second * Self.chunk + index]
                            sum += difference * difference
                        }
                        distances[first * count + second] += sum.sum()
                    }
                }
            }
        }
        for first in 0..<count {
            for second in first + 1..<count { distances[second * count + first] = distances[first * count + second] }
        }
        self.distances = distances
    }

    /// Fills the rows with these coordinates of all vectors, and zeros behind; tells how many eights they take.
    private static func load(_ rows: inout [Lanes], _ vectors: [[Float]], _ range: Range<Int>) -> Int {
        let lanes = (range.count - 1) / Lanes.scalarCount + 1
        for (row, vector) in vectors.enumerated() {
            for index in 0..<lanes {
                let start = range.lowerBound + index * Lanes.scalarCount
                if start + Lanes.scalarCount <= range.upperBound {
                    rows[row * chunk + index] = Lanes(
                        vector.withUnsafeBytes {
                            $0.loadUnaligned(
                                fromByteOffset: start * MemoryLayout<Float>.stride, as: SIMD8<Float>.self)
                        })
                } else {
                    var last = Lanes()
                    for position in start..<range.upperBound { last[position - start] = Double(vector[position]) }
                    rows[row * chunk + index] = last
                }
            }
        }
        return lanes
    }

    /// Each vector's score: the sum of the squared distances to its n - f - 2 nearest others.
    func scores(byzantine: Int) -> [Double] {
        (0..<count).map { row in
            var others = (0..<count).filter { $0 != row }.map { distances[row * count + $0] }
            others.sort()
            return others.prefix(count - byzantine - 2).reduce(0, +)
        }
    }

    /// The positions of the vectors with the least scores, those first; of equal ones, the first.
    func chosen(byzantine: Int, kept: Int) -> [Int] {
        let scores = scores(byzantine: byzantine)
        let best = (0..<count).sorted { (scores[$0], $0) < (scores[$1], $1) }
        return Array(best.prefix(kept))
    }
}
