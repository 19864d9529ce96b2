import DatasiteProtocol
import Foundation
import Secrets
import Testing

@testable import Learning

@Suite("Models and weights as files")
struct ModelFileTests {
    @Test("A model of any layers is the same when it is read from its own text")
    func roundTrip() throws {
        var models = try (0..<50).map { try RandomNetwork(seed: $0, units: 1).model } + LayerCase.all.map(\.model)
        models.append(try Models.resNet18())
        models.append(try Models.mnistConvolutions(activation: .relu))
        for model in models {
            let text = Architecture.json(model)
            let read = try Architecture.model(json: text)
            #expect(read.declarations == model.declarations)
            #expect(read.inputShape == model.inputShape && read.outputShape == model.outputShape)
            #expect(Architecture.json(read) == text)
        }
    }

    @Test(
        "What is wrong in a model's text is told with its place and what would be right",
        arguments: [
            (#"[1]"#, "one JSON object"),
            (#"{"format":"parley-model","version":2,"input":[2],"layers":[]}"#, "'version': 1"),
            (#"{"format":"parley-model","version":1,"input":[0],"layers":[]}"#, "'input': a list"),
            (#"{"format":"parley-model","version":1,"input":[2],"layers":[],"x":1}"#, "'x': it has format, version"),
            (#"{"format":"parley-model","version":1,"input":[2],"input":[2],"layers":[]}"#, "JSON: "),
            (layers(#"{"kind":"lineal"}"#), "layer layers.0: 'kind' must be one of linear, "),
            (layers(#"{"kind":"linear","outputs":2.5}"#), "layer layers.0 (linear): 'outputs' must be a whole number"),
            (
                layers(#"{"kind":"linear","outputs":2,"size":1}"#),
                "'size' must be left out: the layer has kind, name, outputs"
            ),
            (layers(#"{"kind":"linear","outputs":2,"name":"a b"}"#), "'name' must be 1 to 200"),
            (
                layers(#"{"kind":"linear","outputs":2,"name":"a"},{"kind":"linear","outputs":2,"name":"a"}"#),
                "layer a (linear): 'name' must be one that no other layer has"
            ),
            (
                layers(#"{"kind":"linear","outputs":2},{"kind":"linear","outputs":2,"shared-weight":"0.wait"}"#),
                "parameter '0.wait': is of no layer; layer 1 (linear) shares it"
            ),
            (layers(#"{"kind":"linear","outputs":0}"#), "'outputs' must be at least 1"),
            (layers(#"{"kind":"dropout","rate":1}"#), "'rate' must be from 0 to below 1"),
            (layers(#"{"kind":"residual","body":[{"kind":"relu","x":1}]}"#), "layer layers.0.body.0 (relu): 'x'"),
            (
                layers(#"{"kind":"convolution","outputs":2,"kernel":3}"#),
                "rows of 2 arrive; it takes channels x height x width"
            ),
            (layers(#"{"kind":"residual","body":[{"kind":"linear","outputs":3}]}"#), "they give 3 and 2"),
            (
                layers(
                    #"{"kind":"linear","outputs":16777216},{"kind":"linear","outputs":16777216}"#),
                "at most 268435456 values; it would have 16777216x16777216"
            ),
            (
                #"{"format":"parley-model","version":1,"input":[16777216,16777216,16777216],"layers":[{"kind":"flatten"}]}"#,
                "at most 268435456 values"
            ),
        ])
    func wrong(text: String, words: String) {
        let error = #expect(throws: ModelError.self) { try Architecture.model(json: Array(text.utf8)) }
        #expect("\(error.map(String.init(describing:)) ?? "")".contains(words))
    }

    private static func layers(_ text: String) -> String {
        #"{"format":"parley-model","version":1,"input":[2],"layers":["# + text + "]}"
    }

    @Test("A deeply nested model is refused, not followed")
    func deep() {
        let text = Self.layers(
            String(repeating: #"{"kind":"residual","body":["#, count: 5000) + String(repeating: "]}", count: 5000))
        #expect(throws: ModelError.self) { try Architecture.model(json: Array(text.utf8)) }
    }

    @Test("A PyTorch state dict loads, in whatever order, without its count of batches")
    func stateDict() throws {
        let model = try Model(inputShape: [1, 1, 1]) {
            Convolution(2, kernel: 1)
            BatchNormalization()
            Flatten()
            Linear(3)
        }
        let bytes = [UInt8](try LayerCase.fixture("weights.safetensors"))
        let parameters = try model.parameters(safetensors: bytes)
        #expect(parameters.names == model.declarations.map(\.name))
        #expect(parameters["3.weight"]?.values == [7, 7.125, 7.25, 7.375, 7.5, 7.625])
        #expect(parameters["1.running_var"]?.values == [5, 5.125])
        #expect(parameters["0.bias"]?.values == [1, 1.125])
        let again = try model.parameters(safetensors: SafeTensors.write(parameters))
        #expect(again.tensors.map(\.values) == parameters.tensors.map(\.values))
    }

    @Test("A state dict that does not fit is refused by the name of what does not")
    func misfit() throws {
        let bytes = [UInt8](try LayerCase.fixture("weights.safetensors"))
        let model = try Model(inputShape: [2]) { Linear(3, name: "3") }
        #expect(throws: ModelError.parameter(name: "0.bias", expected: "is of no layer of the model")) {
            try model.parameters(safetensors: bytes)
        }
        let other = try Model(inputShape: [4]) { Linear(3, name: "3") }
        #expect(throws: ModelError.parameter(name: "3.weight", expected: "is 3x2; the model's is 3x4")) {
            try other.parameters(safetensors: bytes)
        }
    }

    @Test("Every type that is read has the values that Python wrote")
    func types() throws {
        let found = try SafeTensors.read([UInt8](try LayerCase.fixture("types.safetensors")))
        let wanted: [Float] = [0, -1.5, 65504, 0x1p-24, 0.333251953125, .infinity]
        #expect(found["f32"]?.values == wanted)
        #expect(found["f64"]?.values == wanted)
        #expect(found["f16"]?.values == wanted)
        // Eight digits of the fraction: 65504 becomes 65536.
        #expect(found["bf16"]?.values == [0, -1.5, 65536, 0x1p-24, 0.333984375, .infinity])
        #expect(found["empty"]?.shape == [0, 3])
        #expect(found["scalar"]?.values == [2.5])
        #expect(found.names.count == 6)
    }

    static func file(_ header: String, values: Int = 0, length: Int? = nil) -> [UInt8] {
        let count = length ?? header.utf8.count
        return (0..<8).map { UInt8(truncatingIfNeeded: count >> (8 * $0)) } + Array(header.utf8)
            + [UInt8](repeating: 0, count: values)
    }

    private static func tensor(_ name: String, _ shape: String, _ offsets: String, type: String = "F32") -> String {
        #""\#(name)":{"dtype":"\#(type)","shape":\#(shape),"data_offsets":\#(offsets)}"#
    }

    @Test(
        "What is wrong in a file of weights is told, and nothing is made room for",
        arguments: [
            ([], "at least 8"),
            (file("{}", length: 1 << 40), "at most 16777216 bytes"),
            (file("{}", length: -1), "at most 16777216 bytes"),
            (file("{}", length: 3), "cut off"),
            (file("[]"), "a JSON object"),
            (file("{" + tensor("a", "[1]", "[0,4]") + "," + tensor("a", "[1]", "[0,4]") + "}", values: 4), "JSON: "),
            (file("{" + tensor("a", "[1]", "[0,4]") + "}"), "within the 0 bytes"),
            (
                file("{" + tensor("a", "[2]", "[0,4]") + "}", values: 4),
                "'a': has 4 bytes; F32 values of shape 2 take 8"
            ),
            (file("{" + tensor("a", "[1]", "[4,0]") + "}", values: 4), "in order"),
            (file("{" + tensor("a", "[-1]", "[0,4]") + "}", values: 4), "whole numbers"),
            (file("{" + tensor("a", "[4294967296,4294967296]", "[0,4]") + "}", values: 4), "larger than any file"),
            (file("{" + tensor("a", "[1]", "[0,4]", type: "I64") + "}", values: 4), "F32, F16, BF16, F64"),
            (
                file("{" + tensor("a", "[2]", "[0,8]") + "," + tensor("b", "[2]", "[4,12]") + "}", values: 12),
                "'b': begins at byte 4; the values before it end at 8"
            ),
            (file("{" + tensor("a", "[1]", "[4,8]") + "}", values: 8), "'a': begins at byte 4"),
            (file("{" + tensor("a", "[1]", "[0,4]") + "}", values: 8), "the header tells of 4"),
            (file(#"{"a":{"dtype":"F32","shape":[],"data_offsets":[0,4],"x":1}}"#, values: 4), "nothing else"),
        ])
    func hostile(bytes: [UInt8], words: String) {
        let error = #expect(throws: ModelError.self) { try SafeTensors.read(bytes) }
        #expect("\(error.map(String.init(describing:)) ?? "")".contains(words))
    }

    @Test("No file that is cut off is read")
    func truncated() throws {
        let bytes = [UInt8](try LayerCase.fixture("weights.safetensors"))
        for count in 0..<bytes.count {
            #expect(throws: ModelError.self) { try SafeTensors.read(Array(bytes[..<count])) }
        }
    }
}
