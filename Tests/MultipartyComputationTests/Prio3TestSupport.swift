import Foundation
import Testing

@testable import MultipartyComputation

func hexadecimal(_ text: String) throws -> [UInt8] {
    let digits = text.filter { !$0.isWhitespace }.utf8.map { $0 }
    return try stride(from: 0, to: digits.count, by: 2).map { place in
        try #require(UInt8(String(decoding: digits[place..<place + 2], as: UTF8.self), radix: 16))
    }
}

/// Everything that happens to some measurements, each with all aggregators' steps.
struct Prio3Run<Measurement: Sendable, Aggregate: Sendable> {
    let prio3: Prio3<Measurement, Aggregate>
    let key = VerifyKey()

    func verify(_ report: Prio3Report) throws -> [OutputShare] {
        let steps = try (0..<prio3.shares).map { aggregator in
            try prio3.verifyInit(
                key, aggregator: aggregator, nonce: report.nonce, publicShare: report.publicShare,
                inputShare: report.inputShares[aggregator])
        }
        let message = try prio3.verifierSharesToMessage(steps.map(\.verifierShare))
        return try steps.map { try prio3.verifyNext($0.state, message) }
    }

    func aggregateShares(_ measurements: [Measurement]) throws -> [AggregateShare] {
        var shares = try (0..<prio3.shares).map { try prio3.aggregateInit(aggregator: $0) }
        for measurement in measurements {
            for (aggregator, output) in try verify(prio3.shard(measurement)).enumerated() {
                try shares[aggregator].update(output)
            }
        }
        return shares
    }

    func aggregate(_ measurements: [Measurement]) throws -> Aggregate {
        try prio3.unshard(try aggregateShares(measurements).map(\.encoded), count: measurements.count)
    }
}
