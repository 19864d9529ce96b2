import Testing

@testable import Learning

@Suite("Augmentation")
struct AugmentationTests {
    private static let list: [Augmentation] = [.flip, .shift(pixels: 2, fill: -1)]

    private static func images(_ count: Int) -> Tensor {
        Tensor(shape: [count, 2, 5, 4], values: (0..<count * 40).map { Float($0 % 40) })
    }

    @Test("A row becomes the same whichever rows are beside it")
    func alone() {
        let keys: [UInt64] = [11, 12, 13, 14, 15, 16]
        var all = Self.images(6)
        Augmentation.apply(Self.list, to: &all, keys: keys)
        for (row, key) in keys.enumerated() {
            var one = Self.images(1)
            Augmentation.apply(Self.list, to: &one, keys: [key])
            #expect(one.values == all.rows(row..<row + 1).values)
        }
    }

    @Test("Each row is one of the images that flips and shifts make, with both channels moved alike")
    func possible() {
        var seen: Set<String> = []
        for key in 0..<600 {
            var image = Self.images(1)
            Augmentation.apply(Self.list, to: &image, keys: [UInt64(key)])
            var matches: [String] = []
            for flipped in [false, true] {
                for right in -2...2 {
                    for down in -2...2 where Self.moved(flipped, right, down) == image.values {
                        matches.append("\(flipped) \(right) \(down)")
                    }
                }
            }
            #expect(matches.count == 1)
            seen.formUnion(matches)
        }
        // Of 50 equally likely ones, 600 draws miss one with probability below 50 (49/50)^600 = 3e-4; the keys are fixed.
        #expect(seen.count == 50)
    }

    /// First flipped, then moved.
    private static func moved(_ flipped: Bool, _ right: Int, _ down: Int) -> [Float] {
        let source = images(1).values
        return (0..<40).map { index in
            let (plane, y, x) = (index / 20, index % 20 / 4 - down, index % 4 - right)
            guard (0..<5).contains(y), (0..<4).contains(x) else { return -1 }
            return source[plane * 20 + y * 4 + (flipped ? 3 - x : x)]
        }
    }

    @Test("Rows that are no images, and shifts out of the image, are refused")
    func refused() {
        #expect(throws: ModelError.self) { try Augmentation.flip.check(rowShape: [10]) }
        #expect(throws: ModelError.self) { try Augmentation.shift(pixels: 4, fill: 0).check(rowShape: [1, 5, 4]) }
        #expect(throws: ModelError.self) { try Augmentation.shift(pixels: 0, fill: 0).check(rowShape: [1, 5, 4]) }
    }

    @Test("A run trains on changed rows: weights differ from those without, and repeat")
    func trains() throws {
        let model = try Model(inputShape: [1, 3, 3]) { Linear(2) }
        var plan = try TrainingPlan(
            model: model, loss: .meanSquared, optimizer: .gradientDescent(), learningRate: 0.01, steps: 3)
        let examples = try Examples(
            inputs: Tensor(shape: [4, 1, 3, 3], values: (0..<36).map(Float.init)),
            targets: .values(Tensor(shape: [4, 1, 3, 2], repeating: 1)))
        func weights() throws -> [Float] {
            var run = try TrainingRun(plan: plan, examples: examples, batchRows: 2, seed: 1)
            for _ in 0..<3 { _ = try run.step() }
            return run.state.parameters.tensors[0].values
        }
        let plain = try weights()
        plan.augmentations = [.flip]
        let changed = try weights()
        #expect(plain != changed)
        #expect(try weights() == changed)
    }
}
