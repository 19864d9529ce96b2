import Testing

@testable import Learning

@Suite("Models")
struct ModelTests {
    @Test("A model of layers that fit has their shapes and parameters")
    func fits() throws {
        let model = try Model(inputShape: [3]) {
            Linear(4)
            ReLU()
            Linear(2, name: "last")
        }
        #expect(model.outputShape == [2])
        #expect(model.declarations.map(\.name) == ["0.weight", "0.bias", "last.weight", "last.bias"])
    }
}
