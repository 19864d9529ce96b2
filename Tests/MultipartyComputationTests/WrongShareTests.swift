import Foundation
import Secrets
import Testing

@testable import MultipartyComputation

@Suite struct WrongShareTests {
    private func changed(_ shares: [OpenedShare], _ owners: Set<Int>) -> [OpenedShare] {
        shares.map { share in
            guard owners.contains(share.owner) else { return share }
            var value = share.value
            value[share.owner % 32] ^= 0x40
            return OpenedShare(owner: share.owner, value: value)
        }
    }

    private func play(
        _ count: Int, threshold: Int, leaving: Set<Int>, unmasking: Set<Int>? = nil, liars: [Int: Set<Int>]
    ) throws -> (AggregationResult, [UInt64]) {
        var population = try Population(count, threshold: threshold)
        let inputs = population.inputs(seed: 3)
        try population.share()
        _ = try population.deliver()
        let survivors = try population.mask(inputs, of: population.everyone.subtracting(leaving))
        let result = try population.open(survivors, confirming: Set(survivors), unmasking: unmasking ?? Set(survivors))
        { message in
            guard let owners = liars[message.sender] else { return }
            message = UnmaskMessage(
                sender: message.sender, maskKeyShares: changed(message.maskKeyShares, owners),
                seedShares: changed(message.seedShares, owners))
        }
        return (result, population.plainSum(inputs, of: survivors))
    }

    @Test("One who opens wrong shares is named, and the sum is right", arguments: [0, 3, 7])
    func oneLiar(liar: Int) throws {
        let (result, expected) = try play(9, threshold: 6, leaving: [8], liars: [liar: Set(0..<9)])
        #expect(result.sum == expected)
        let named = Set(result.wrongShares.map(\.holder))
        // Shares beyond the threshold are not needed, and not looked at, where the first ones are right.
        #expect(named == (liar < 6 ? [liar] : []))
    }

    @Test("Several are named, of a key and of a seed")
    func severalLiars() throws {
        let (result, expected) = try play(12, threshold: 7, leaving: [11], liars: [0: [11], 2: [3, 11]])
        #expect(result.sum == expected)
        #expect(
            Set(result.wrongShares)
                == [.init(holder: 0, owner: 11), .init(holder: 2, owner: 11), .init(holder: 2, owner: 3)])
    }

    @Test("With one share more than the threshold, leaving each out in turn finds the liar")
    func oneToSpare() throws {
        let (result, expected) = try play(6, threshold: 4, leaving: [5], liars: [1: [5]])
        #expect(result.sum == expected)
        #expect(result.wrongShares == [.init(holder: 1, owner: 5)])
    }

    @Test("With none to spare the sum is not opened, and the owner is named")
    func noneToSpare() throws {
        #expect(throws: AggregationError.cannotReconstruct(owner: 5, shares: 4, needed: 4)) {
            try play(6, threshold: 4, leaving: [4, 5], liars: [1: [5]])
        }
    }
}
