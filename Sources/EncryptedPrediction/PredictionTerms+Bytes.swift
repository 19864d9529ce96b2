internal import DatasiteProtocol
internal import Learning
internal import SecureComputation

extension PredictionTerms {
    /// The most bytes that are read.
    public static let largestBytes = 3 << 20
    private static let format = "parley-prediction"

    /// Canonical JSON (RFC 8785, keys sorted): the same terms are the same bytes.
    public var bytes: [UInt8] {
        CanonicalJSON.object([
            "format": .string(Self.format), "version": .integer(1), "output": .string(output.rawValue),
            "comparison": .string(comparison == .oneRound ? "one-round" : "two-rounds"),
            "fraction-bits": .integer(Int64(fractionBits)), "output-bits": .integer(Int64(outputBits)),
            "input-bound": .string("\(inputBound)"),
            "input-sign": .string(inputsAreNonNegative ? "not-negative" : "any"),
            "error-bound": .string("\(errorBound)"),
            "error": .string(isErrorProven ? "proven" : "estimated"),
            "architecture": .string(String(decoding: architecture, as: UTF8.self)),
            "layers": .array(
                layers.map { layer in
                    let all = [layer.bits, layer.bound, layer.sum] + (layer.bias.map { [$0] } ?? [])
                    return .array(all.map { .integer(Int64($0)) })
                }), "limits": .array(limits.map { .integer(Int64($0 ?? 0)) }),
        ]).bytes
    }

    /// Reads what ``bytes`` gave, and nothing else. Sizes are limited before anything is made of them, and the whole range analysis is made again.
    ///
    /// - Throws: ``PredictionError``: what is wrong, and what would be right.
    public init(bytes: [UInt8]) throws(PredictionError) {
        guard bytes.count <= Self.largestBytes else {
            throw .malformed("terms of \(bytes.count) bytes", expected: "at most \(Self.largestBytes)")
        }
        let read: TermsText
        do { read = try TermsText(bytes) } catch { throw .malformed("the terms", expected: "\(error)") }
        guard read.format == Self.format, read.version == 1 else {
            throw .malformed("the terms' format", expected: "\(Self.format), version 1")
        }
        guard let output = Output(rawValue: read.output) else {
            throw .malformed("'output'", expected: Output.allCases.map(\.rawValue).joined(separator: " or "))
        }
        guard let comparison = ["one-round": ComparisonForm.oneRound, "two-rounds": .twoRounds][read.comparison] else {
            throw .malformed("'comparison'", expected: "one-round or two-rounds")
        }
        guard ["proven", "estimated"].contains(read.error) else {
            throw .malformed("'error'", expected: "proven or estimated")
        }
        let (inputBound, errorBound) = (Double(read.inputBound) ?? .nan, Double(read.errorBound) ?? .nan)
        guard inputBound > 0, inputBound <= 0x1p24, errorBound >= 0, errorBound.isFinite else {
            throw .malformed("'input-bound' or 'error-bound'", expected: "above 0 and at most 2^24; finite")
        }
        guard ["not-negative", "any"].contains(read.inputSign) else {
            throw .malformed("'input-sign'", expected: "not-negative or any")
        }
        guard (4...24).contains(read.fractionBits), (1...24).contains(read.outputBits) else {
            throw .malformed("'fraction-bits' or 'output-bits'", expected: "4 to 24; 1 to 24")
        }
        let architecture = Array(read.architecture.utf8)
        let model: Model
        do { model = try Architecture.model(json: architecture) } catch { throw .model(error) }
        let plan = try PredictionPlan(model)
        self.init(
            output: output, plan: plan, architecture: architecture,
            range: PredictionRange(
                fractionBits: Int(read.fractionBits), outputBits: Int(read.outputBits), inputBound: inputBound,
                inputsAreNonNegative: read.inputSign == "not-negative", comparison: comparison,
                layers: try Self.layers(read.layers, plan),
                limits: try Self.limits(read.limits, plan)),
            error: (errorBound, read.error == "proven"))
        guard self.bytes == bytes, Architecture.json(model) == architecture else {
            throw .malformed(
                "the terms' text",
                expected:
                    "the canonical one: keys sorted, no other space, each number and architecture as it is written")
        }
        _ = try range()
    }

    private static func layers(_ read: [[Int64]], _ plan: PredictionPlan) throws(PredictionError) -> [LayerTerms] {
        guard read.count == plan.linears.count else {
            throw .malformed("'layers' with \(read.count) entries", expected: "\(plan.linears.count)")
        }
        var layers: [LayerTerms] = []
        for (step, numbers) in zip(plan.linears, read) {
            guard numbers.count == (step.hasBias ? 4 : 3), numbers.allSatisfy({ (0...61).contains($0) }),
                (1...RangeChoice.mostBits).contains(Int(numbers[0]))
            else {
                throw .malformed(
                    "'layers' for \(step.title)",
                    expected:
                        "\(step.hasBias ? 4 : 3) numbers from 0 to 61, the first from 1 to \(RangeChoice.mostBits)")
            }
            layers.append(
                LayerTerms(
                    bits: Int(numbers[0]), bound: Int(numbers[1]), sum: Int(numbers[2]),
                    bias: step.hasBias ? Int(numbers[3]) : nil))
        }
        return layers
    }

    private static func limits(_ read: [Int64], _ plan: PredictionPlan) throws(PredictionError) -> [Int?] {
        guard read.count == plan.activations, read.allSatisfy({ (0...61).contains($0) }) else {
            throw .malformed("'limits'", expected: "\(plan.activations) numbers from 0 to 61")
        }
        return read.map { $0 == 0 ? nil : Int($0) }
    }
}

/// The members as they stand.
private struct TermsText {
    let format: String
    let version: Int64
    let output: String
    let comparison: String
    let error: String
    let fractionBits: Int64
    let outputBits: Int64
    let inputBound: String
    let inputSign: String
    let errorBound: String
    let architecture: String
    let layers: [[Int64]]
    let limits: [Int64]

    init(_ bytes: [UInt8]) throws(JSONError) {
        var object = try StrictObject(StrictJSON(parsing: bytes))
        format = try object.string("format")
        version = try object.integer("version")
        output = try object.string("output")
        comparison = try object.string("comparison")
        error = try object.string("error")
        fractionBits = try object.integer("fraction-bits")
        outputBits = try object.integer("output-bits")
        inputBound = try object.string("input-bound")
        inputSign = try object.string("input-sign")
        errorBound = try object.string("error-bound")
        architecture = try object.string("architecture")
        limits = try object.optionalIntegers("limits") ?? []
        guard case .array(let rows)? = object.value("layers") else { throw JSONError("'layers' must be a list") }
        var layers: [[Int64]] = []
        for row in rows {
            guard case .array(let numbers) = row else { throw JSONError("'layers' must be a list of lists") }
            layers.append(
                numbers.map { number in
                    if case .number(let literal) = number { Int64(literal) ?? -1 } else { -1 }
                })
        }
        self.layers = layers
        try object.finish()
    }
}
