import Marketplace
import Testing

@testable import ChainRail

func bytes(_ hex: some StringProtocol) throws -> [UInt8] { try #require([UInt8](hex: hex)) }

func digest(_ hex: some StringProtocol) throws -> Digest256 { try #require(Digest256(hex: String(hex))) }

func key(_ hex: String) throws -> ChainKey { try #require(ChainKey(secret: bytes(hex))) }

/// A test's key by a number.
func key(number: UInt8) throws -> ChainKey {
    try #require(ChainKey(secret: Digest256.sha256([number]).bytes))
}

/// Claims of a settlement that a contract pays: amounts by party, who are paid at the addresses of keys by their place.
func settlement(_ amounts: [Int64], contract: ChainContract) throws -> (
    claims: [Claim], payees: [PartyName: ChainAddress]
) {
    let parties = try amounts.indices.map { try #require(PartyName("party-\($0)")) }
    let payouts = zip(parties, amounts).map { Payout(party: $0, role: .owner, amount: $1, standardError: nil) }
    let settlement = try Settlement(
        basis: .sha256([1]), payouts: payouts, seed: Salt(.sha256([2])), binding: contract.binding)
    let payees = try parties.indices.map { (parties[$0], try key(number: UInt8(100 + $0)).address) }
    return (settlement.claims, Dictionary(uniqueKeysWithValues: payees))
}
