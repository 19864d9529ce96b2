import Foundation
import Testing

@testable import Federation

@Suite("Strategies and states in JSON")
struct StrategyFileTests {
    static let strategies: [(Strategy, String)] = [
        (.fedSGD(rate: 0.5), #"{"kind":"fedSGD","rate":0.5}"#),
        (.fedAvg, #"{"kind":"fedAvg"}"#),
        (.fedAvgM(rate: 1, momentum: 0.75), #"{"kind":"fedAvgM","momentum":0.75,"rate":1}"#),
        (.fedProx(mu: 0.25), #"{"kind":"fedProx","mu":0.25}"#),
        (
            .fedAdam(AdaptiveStep(rate: 0.5, beta1: 0.5, beta2: 0.75, tau: 0.125)),
            #"{"beta1":0.5,"beta2":0.75,"kind":"fedAdam","rate":0.5,"tau":0.125}"#
        ),
        (
            .fedYogi(AdaptiveStep(rate: 0.5, beta1: 0.5, beta2: 0.75, tau: 0.125)),
            #"{"beta1":0.5,"beta2":0.75,"kind":"fedYogi","rate":0.5,"tau":0.125}"#
        ),
        (.scaffold(rate: 1), #"{"kind":"scaffold","rate":1}"#),
        (
            .fedBuff(rate: 0.5, buffer: 10, exponent: 0.5),
            #"{"buffer":10,"exponent":0.5,"kind":"fedBuff","rate":0.5}"#
        ),
        (.coordinateMedian, #"{"kind":"coordinateMedian"}"#),
        (.trimmedMean(trim: 2), #"{"kind":"trimmedMean","trim":2}"#),
        (.multiKrum(byzantine: 2, kept: 3), #"{"byzantine":2,"kept":3,"kind":"multiKrum"}"#),
        (
            .centredClipping(radius: 2.5, iterations: 3),
            #"{"iterations":3,"kind":"centredClipping","radius":2.5}"#
        ),
    ]

    static func encoded(_ value: some Encodable) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        return String(decoding: try encoder.encode(value), as: UTF8.self)
    }

    static func decode<Value: Decodable>(_ text: String, as type: Value.Type = Value.self) throws -> Value {
        try JSONDecoder().decode(type, from: Data(text.utf8))
    }

    @Test("Each kind's text is stable and reads back as it was")
    func text() throws {
        for (strategy, text) in Self.strategies {
            #expect(try Self.encoded(strategy) == text)
            #expect(try Self.decode(text) == strategy)
        }
        #expect(Set(Self.strategies.map(\.0.kind)).count == Strategy.Kind.allCases.count)
    }

    @Test("Unknown kinds and keys, missing keys, other types and values out of range are refused, and said")
    func refusals() throws {
        for (text, wanted) in [
            (#"{"kind":"fedMagic"}"#, "unknown kind \"fedMagic\": expected one of fedSGD, fedAvg"),
            (#"{"rate":1}"#, "no key \"kind\""),
            (#"{"kind":"fedAvg","rate":1}"#, "unknown key \"rate\": expected \"kind\""),
            (#"{"kind":"fedSGD"}"#, "no key \"rate\""),
            (#"{"kind":"fedSGD","rate":0}"#, "rate: expected a number from 1e-12 to 1e12"),
            (#"{"kind":"fedSGD","rate":1,"Rate":1}"#, "unknown key \"Rate\": expected \"kind\", \"rate\""),
            (#"{"kind":"fedAvgM","rate":1,"momentum":1}"#, "momentum: expected a number from 0 to below 1"),
            (#"{"kind":"fedProx","mu":-1}"#, "mu: expected a number from 0.0 to 1000000.0"),
            (#"{"kind":"trimmedMean","trim":-1}"#, "trim: expected a whole number from 0"),
            (#"{"kind":"multiKrum","byzantine":1}"#, "no key \"kept\""),
            (#"{"kind":"fedAdam","rate":1,"beta1":0.9,"beta2":2,"tau":1}"#, "beta2: expected"),
        ] {
            let error = #expect(throws: DecodingError.self) { try Self.decode(text, as: Strategy.self) }
            guard case .dataCorrupted(let context)? = error else {
                Issue.record("\(text): \(String(describing: error))")
                continue
            }
            #expect(context.debugDescription.contains(wanted), "\(text): \(context.debugDescription)")
        }
        for text in [
            #"{"kind":"trimmedMean","trim":1.5}"#, #"{"kind":"fedSGD","rate":"1"}"#, #"{"kind":"fedSGD","rate":null}"#,
            #"{"kind":1}"#, #"["fedAvg"]"#, #""fedAvg""#, "{}",
        ] {
            #expect(throws: DecodingError.self) { try Self.decode(text, as: Strategy.self) }
        }
        #expect(throws: StrategyError.self) { try Self.encoded(Strategy.fedSGD(rate: -1)) }
    }

    @Test("A state that was stored goes on to the bit", arguments: strategies.map(\.0))
    func continuation(strategy: Strategy) throws {
        var draws = Draws(seed: 17)
        let length = strategy.vectorLength(parameters: 9)
        var (weights, state) = (draws.vector(9), try ServerState(strategy, parameters: 9))
        for _ in 0..<5 { try state.apply(mean: draws.vector(length), to: &weights, strategy: strategy, share: 0.3) }
        var (storedWeights, stored) = (weights, try Self.decode(try Self.encoded(state), as: ServerState.self))
        #expect(stored == state && stored.step == 5)
        for _ in 0..<5 {
            let mean = draws.vector(length, spread: 0.1)
            try state.apply(mean: mean, to: &weights, strategy: strategy, share: 0.3)
            try stored.apply(mean: mean, to: &storedWeights, strategy: strategy, share: 0.3)
        }
        #expect(weights.map(\.bitPattern) == storedWeights.map(\.bitPattern))
        #expect(stored == state)
    }

    @Test("A buffer and a control variate that were stored go on to the bit")
    func buffers() throws {
        var draws = Draws(seed: 18)
        var buffer = try UpdateBuffer(.fedBuff(rate: 1, buffer: 3, exponent: 0.7), parameters: 5)
        for staleness in [1, 4] { try buffer.add(draws.vector(5), staleness: staleness, weight: 0.1) }
        var stored = try Self.decode(try Self.encoded(buffer), as: UpdateBuffer.self)
        let last = draws.vector(5)
        try buffer.add(last, staleness: 2)
        try stored.add(last, staleness: 2)
        #expect(stored == buffer)
        #expect(try stored.take().map(\.bitPattern) == buffer.take().map(\.bitPattern))
        var control = ControlVariate(parameters: 2)
        _ = try control.renew(server: [0.1, 0.2], before: [0.3, 0.4], after: [0.7, 0.1], steps: 3, rate: 0.1)
        #expect(try Self.decode(try Self.encoded(control), as: ControlVariate.self) == control)
    }

    @Test("Stored states that cannot be are refused")
    func stateRefusals() throws {
        for text in [
            #"{"step":-1,"momentum":[],"secondMoment":[],"control":[]}"#,
            #"{"step":9223372036854775807,"momentum":[],"secondMoment":[],"control":[]}"#,
            #"{"step":0,"momentum":[],"secondMoment":[-1],"control":[]}"#,
            #"{"step":0,"momentum":[],"secondMoment":[],"control":[],"extra":1}"#,
            #"{"step":0,"momentum":[],"secondMoment":[]}"#,
            #"{"step":0,"momentum":[1e39],"secondMoment":[],"control":[]}"#,
        ] {
            #expect(throws: DecodingError.self) { try Self.decode(text, as: ServerState.self) }
        }
        for text in [
            #"{"capacity":2,"exponent":1,"held":3,"sums":[1],"totalWeight":3}"#,
            #"{"capacity":0,"exponent":1,"held":0,"sums":[1],"totalWeight":0}"#,
            #"{"capacity":2,"exponent":1,"held":1,"sums":[],"totalWeight":1}"#,
            #"{"capacity":2,"exponent":1,"held":1,"sums":[1],"totalWeight":0}"#,
            #"{"capacity":2,"exponent":1,"held":1,"sums":[1],"totalWeight":1,"x":1}"#,
        ] {
            #expect(throws: DecodingError.self) { try Self.decode(text, as: UpdateBuffer.self) }
        }
        #expect(throws: DecodingError.self) { try Self.decode(#"["head","head"]"#, as: LocalHead.self) }
        #expect(throws: DecodingError.self) { try Self.decode(#"{"values":[1],"x":1}"#, as: ControlVariate.self) }
    }
}

@Suite("The committed table of strategies")
struct AdmissionTests {
    static let path = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appending(path: "docs/guide/federation.md")

    @Test("The documentation's table says what the function says, for each strategy and way")
    func table() throws {
        let lines = try String(contentsOf: Self.path, encoding: .utf8).split(separator: "\n")
        let head = "| strategy | plain | masked | distributed noise |"
        let start = try #require(lines.firstIndex { $0 == head })
        let rows = lines[(start + 2)...].prefix { $0.hasPrefix("|") }.map { line in
            line.split(separator: "|").map { $0.trimmingCharacters(in: .whitespaces) }
        }
        var named: [String: [String]] = [:]
        for row in rows { named[row[0].trimmingCharacters(in: ["`"])] = Array(row[1...]) }
        #expect(rows.count == Strategy.Kind.allCases.count)
        for (strategy, _) in StrategyFileTests.strategies {
            let wanted = Aggregation.allCases.map { way in
                switch strategy.admits(way) {
                case .runs: "runs"
                case .refused(let refusal): "refused: \(refusal.text)"
                }
            }
            #expect(named[strategy.kind.rawValue] == wanted)
        }
        for refusal in Admission.Refusal.allCases {
            #expect(lines.contains { $0.hasPrefix("- **\(refusal.text)**") }, "\(refusal) is explained")
        }
    }

    @Test("What only needs a mean gives the same from a sum: strategies that run masked combine by weighted mean")
    func masked() throws {
        var draws = Draws(seed: 19)
        let (updates, weights) = ((0..<5).map { _ in draws.vector(6) }, [1, 2, 3, 4, 5] as [Double])
        var sum = try WeightedSum(length: 6)
        for (update, weight) in zip(updates, weights) { try sum.add(update, weight: weight) }
        for (strategy, _) in StrategyFileTests.strategies where strategy.admits(.masked) == .runs {
            #expect(try strategy.combine(updates, weights: weights).vector == sum.mean())
        }
        #expect(StrategyFileTests.strategies.count { $0.0.admits(.masked) == .runs } == 7)
    }
}
