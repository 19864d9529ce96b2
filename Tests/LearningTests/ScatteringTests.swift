import Foundation
import Testing

@testable import Learning

@Suite("The scattering transform")
struct ScatteringTests {
    private struct Known: Decodable {
        var shape: [Int]
        var values: [Float]
    }

    @Test("Coefficients are kymatio's")
    func kymatio() throws {
        let file = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Fixtures/scattering.json")
        let known = try JSONDecoder().decode(Known.self, from: Data(contentsOf: file))
        let (height, width) = (28, 20)
        let values = (0..<height * width).map { index -> Float in
            let (y, x) = (Double(index / width), Double(index % width))
            return Float(sin(0.37 * x * y) + 0.01 * x + (y > 9 ? 1 : 0))
        }
        let model = try Model(inputShape: [1, height, width]) { Scattering() }
        #expect(model.outputShape == known.shape)
        let output = try model.predict(
            Tensor(shape: [1, 1, height, width], values: values), Parameters(names: [], tensors: []))
        let largest = known.values.map(abs).max() ?? 1
        let error = zip(output.values, known.values).map { abs($0 - $1) }.max() ?? 1
        #expect(error < 2e-4 * largest, "\(error) of \(largest)")
    }

    @Test("It stands before what learns, and takes images of fitting sizes")
    func place() {
        #expect(throws: ModelError.self) { try Model(inputShape: [1, 27, 28]) { Scattering() } }
        #expect(throws: ModelError.self) {
            try Model(inputShape: [1, 28, 28]) {
                Linear(28)
                Scattering()
            }
        }
    }
}
