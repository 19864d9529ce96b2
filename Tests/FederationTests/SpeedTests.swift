import Testing

@testable import Federation

@Suite("Speed, printed", .serialized)
struct SpeedTests {
    @Test(
        "A hundred vectors of 100,000 entries",
        arguments: [
            Strategy.fedAvg, .coordinateMedian, .trimmedMean(trim: 20), .multiKrum(byzantine: 20, kept: 70),
            .centredClipping(radius: 100, iterations: 3),
        ])
    func speed(strategy: Strategy) throws {
        var draws = Draws(seed: 21)
        let pattern = draws.vector(1009)
        var updates: [[Float]] = []
        for row in 1...100 {
            var update = [Float](repeating: 0, count: 100_000)
            for index in update.indices { update[index] = pattern[(index * row + row * row) % 1009] }
            updates.append(update)
        }
        let clock = ContinuousClock()
        var vector: [Float] = []
        let time = try clock.measure { vector = try strategy.combine(updates).vector }
        print("\(strategy.kind.rawValue), 100 x 100,000: \(time)")
        #expect(vector.count == 100_000)
    }
}
