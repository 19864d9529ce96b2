import Foundation
import Secrets
import Testing

@testable import Learning

@Suite("Models that ship")
struct ShippedModelTests {
    struct Case: Decodable {
        let model: String
        let shapes: [String: [Int]]
        let output: [Float]
        let gradientNorms: [String: Double]
    }

    /// As `Fixtures/models.py` has it.
    static func formula(_ count: Int, _ factor: Double) -> [Float] {
        (0..<count).map { Float(Double(($0 * 7919) % 1009 - 504) / 504 * factor) }
    }

    static func parameters(_ model: Model) -> Parameters {
        let tensors = model.declarations.map { declaration -> Tensor in
            let fan = declaration.shape.count > 1 ? declaration.shape.dropFirst().product : 1
            var values = formula(declaration.shape.product, 1.5 / Double(fan).squareRoot())
            let isScale =
                declaration.shape.count == 1 && declaration.name.hasSuffix("weight")
                || declaration.name.hasSuffix("running_var")
            if isScale { values = values.map { 1 + 0.25 * $0 / 1.5 } }
            return Tensor(shape: declaration.shape, values: values)
        }
        return Parameters(names: model.declarations.map(\.name), tensors: tensors)
    }

    @Test("The MNIST network and ResNet-18, with either normalisation, compute what PyTorch's of the same names do")
    func numbers() throws {
        let cases = try JSONDecoder().decode([Case].self, from: LayerCase.fixture("models.json"))
        #expect(cases.map(\.model) == ["convolutions", "resnet18", "resnet18-batch"])
        let models = [
            try Models.mnistConvolutions(),
            try Models.resNet18(inputShape: [3, 32, 32], classes: 10),
            try Models.resNet18(inputShape: [3, 32, 32], classes: 10, normalization: .batch),
        ]
        for (wanted, model) in zip(cases, models) {
            let shapes = Dictionary(uniqueKeysWithValues: model.declarations.map { ($0.name, $0.shape) })
            #expect(shapes == wanted.shapes)
            let parameters = Self.parameters(model)
            let input = Tensor(
                shape: [2] + model.inputShape, values: Self.formula(2 * model.inputShape.product, 1))
            expectClose(
                try model.predict(input, parameters).values, wanted.output, within: 1e-4, "output of \(wanted.model)")
            guard model.coupling.isEmpty else { continue }
            let batch = Batch(inputs: input, targets: .labels([1, 2]), weights: nil, rowKeys: [])
            let sums = PlainGradient.measure((model, .crossEntropy, parameters), batch).sums
            for (declaration, sum) in zip(model.declarations, sums) {
                let norm = sum.reduce(0) { $0 + Double($1) * Double($1) }.squareRoot()
                let other = wanted.gradientNorms[declaration.name] ?? .nan
                #expect(abs(norm - other) <= 1e-3 * other, "\(declaration.name) of \(wanted.model)")
            }
        }
    }

    @Test("ResNet-18 for ImageNet has torchvision's 11 689 512 parameters, the perceptron for MNIST 101 770")
    func counts() throws {
        #expect(try Models.resNet18().trainableCount == 11_689_512)
        #expect(try Models.resNet18(normalization: .batch).trainableCount == 11_689_512)
        #expect(try Models.multilayerPerceptron().trainableCount == 101_770)
        #expect(try Models.logisticRegression(inputShape: [1, 28, 28], classes: 10).trainableCount == 7850)
        #expect(try Models.mnistConvolutions(activation: .relu).trainableCount == 26_010)
        #expect(try Models.smallResNet(normalization: .batch).coupling.count == 9)
    }

    @Test("The small ResNet learns what it is shown")
    func learns() throws {
        var generator = SeededGenerator(seed: 5)
        let model = try Models.smallResNet(inputShape: [1, 8, 8], classes: 2)
        var parameters = model.initialParameters(using: &generator)
        let labels: [Int32] = [0, 1, 0, 1]
        let inputs = Tensor(shape: [4, 1, 8, 8], values: (0..<256).map { _ in generator.normal() })
        let batch = Batch(inputs: inputs, targets: .labels(labels), weights: nil, rowKeys: [])
        var losses: [Double] = []
        for _ in 0..<12 {
            let gradient = PlainGradient.measure((model, .crossEntropy, parameters), batch)
            losses.append(gradient.losses)
            for position in parameters.tensors.indices {
                for index in gradient.sums[position].indices {
                    parameters.tensors[position].values[index] -= 0.05 * gradient.sums[position][index]
                }
            }
        }
        #expect(losses[11] < 0.5 * losses[0])
    }
}
