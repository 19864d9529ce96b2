import Foundation
import Testing

@testable import DifferentialPrivacy

@Suite("Events as JSON")
struct PrivacyEventCodingTests {
    private func decode(_ text: String) throws -> PrivacyEvent {
        try JSONDecoder().decode(PrivacyEvent.self, from: Data(text.utf8))
    }

    static let every: [PrivacyEvent] = [
        .discreteGaussian(sensitivitySquared: 3, sigma: 10), .discreteLaplace(sensitivity: 1, scale: 0.5),
        .gaussian(noiseMultiplier: 1.1), .laplace(noiseMultiplier: 2),
        .skellam(l1Sensitivity: 2, sensitivitySquared: 2, variance: 9), .exponentialMechanism(epsilon: 0.1, times: 3),
        .thresholdSelection(groupsPerUnit: 1, sigma: 1, threshold: 10, delta: 1e-6), .pure(epsilon: 1),
        .approximate(epsilon: 1, delta: 1e-9), .zeroConcentrated(rho: 0.5),
        .fixedSizeSampled(sampleSize: 10, populationSize: 100, .gaussian(noiseMultiplier: 1)),
        .shuffled(localEpsilon: 2, count: 10_000), .treeAggregation(noiseMultiplier: 5, steps: 1000),
        .repeated(.poissonSampled(rate: 0.004, .gaussian(noiseMultiplier: 1)), times: 10_000),
        .composition([.pure(epsilon: 0.25), .composition([])]),
    ]

    @Test("Every event is read back as it was written", arguments: every)
    func roundTrip(event: PrivacyEvent) throws {
        let data = try JSONEncoder().encode(event)
        #expect(try JSONDecoder().decode(PrivacyEvent.self, from: data) == event)
    }

    @Test("What a person writes by hand")
    func byHand() throws {
        let training = try decode(
            """
            {"type": "repeated", "times": 10000, "event":
                {"type": "poisson-sampled", "rate": 0.004, "event": {"type": "gaussian", "noise-multiplier": 1}}}
            """)
        #expect(training == .repeated(.poissonSampled(rate: 0.004, .gaussian(noiseMultiplier: 1)), times: 10_000))
        #expect(
            try decode(#"{"type": "exponential-mechanism", "epsilon": 0.5}"#)
                == .exponentialMechanism(epsilon: 0.5, times: 1))
    }

    @Test(
        "Each mistake is named, with what would be right",
        arguments: [
            (#"{"noise-multiplier": 1}"#, "an event has no \"type\""),
            (#"{"type": "gausian", "noise-multiplier": 1}"#, "unknown type \"gausian\""),
            (
                #"{"type": "gaussian", "sigma": 1}"#,
                "unknown member \"sigma\" of gaussian: expected \"noise-multiplier\""
            ),
            (#"{"type": "gaussian"}"#, "gaussian has no \"noise-multiplier\""),
            (#"{"type": "gaussian", "noise-multiplier": 0}"#, "noise multiplier: expected a positive finite number"),
            (#"{"type": "repeated", "times": -1, "event": {"type": "pure", "epsilon": 1}}"#, "times: expected"),
            (#"{"type": "poisson-sampled", "rate": 2, "event": {"type": "pure", "epsilon": 1}}"#, "rate: expected"),
            (#"{"type": "approximate", "epsilon": 1, "delta": 1.5}"#, "delta: expected"),
            (#"{"type": "composition", "events": [{"type": "pure"}]}"#, "pure has no \"epsilon\""),
        ])
    func mistakes(text: String, message: String) throws {
        do {
            _ = try decode(text)
            Issue.record("accepted: \(text)")
        } catch let DecodingError.dataCorrupted(context) {
            #expect(context.debugDescription.contains(message), "\(context.debugDescription)")
        }
    }

    @Test("Deep nesting is refused before it exhausts the stack")
    func nesting() {
        let depth = 200
        let open = String(repeating: #"{"type": "repeated", "times": 1, "event": "#, count: depth)
        let text = open + #"{"type": "pure", "epsilon": 1}"# + String(repeating: "}", count: depth)
        #expect(throws: DecodingError.self) { try decode(text) }
    }
}
