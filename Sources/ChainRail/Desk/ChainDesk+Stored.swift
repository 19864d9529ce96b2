internal import Foundation
internal import Marketplace

/// What of a desk is kept: its orders, and everything that was signed for them. The key is not in it.
private struct StoredDesk: Codable {
    static let version = 1
    let version: Int
    let account: ChainAddress
    let chain: UInt64
    let firstNonce: UInt64?
    let policy: ChainPolicy
    let entries: [StoredEntry]
}

private struct StoredEntry: Codable {
    let order: ChainOrder
    let signed: [StoredSignature]
    let outcome: ChainDesk.Outcome?
}

private struct StoredSignature: Codable {
    let maximumFee: UInt64, priorityFee: UInt64
    let time: Int64
    let isOdd: Bool
    let r: Digest256, s: Digest256
}

extension ChainDesk {
    /// The longest that is read, in bytes.
    public static let mostStored = 1 << 28

    /// What is stored: JSON, without the key.
    var stored: [UInt8] {
        let entries = entries.map { entry in
            StoredEntry(
                order: entry.order,
                signed: entry.signed.map {
                    StoredSignature(
                        maximumFee: $0.fees.maximum, priorityFee: $0.fees.priority, time: $0.time,
                        isOdd: $0.signature.isOdd, r: $0.signature.r, s: $0.signature.s)
                }, outcome: entry.outcome)
        }
        let desk = StoredDesk(
            version: StoredDesk.version, account: account, chain: chain, firstNonce: firstNonce, policy: policy,
            entries: entries)
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys]
        // Numbers, texts and lists alone: nothing of it can fail to be encoded.
        return (try? encoder.encode(desk)).map { [UInt8]($0) } ?? []
    }

    /// The desk that was stored. Every signature is seen to be the key's, for the order and number that it stands at.
    ///
    /// - Throws: ``ChainDeskError/stored(_:)``; ``ChainDeskError/key(_:)`` where it is another account's.
    public init(stored: [UInt8], key: ChainKey) throws(ChainDeskError) {
        guard stored.count <= Self.mostStored,
            let kept = try? JSONDecoder().decode(StoredDesk.self, from: Data(stored)),
            kept.version == StoredDesk.version
        else { throw .stored("version \(StoredDesk.version) of a desk, in JSON") }
        guard kept.account == key.address else {
            throw .key(.otherAccount(key.address, expected: kept.account))
        }
        self.init(key: key, chain: kept.chain, policy: kept.policy.inRange)
        guard kept.entries.count <= Self.mostOrders, (kept.firstNonce ?? 0) <= UInt64.max >> 1 else {
            throw .stored("at most \(Self.mostOrders) orders")
        }
        firstNonce = kept.firstNonce
        for (place, stored) in kept.entries.enumerated() {
            guard progress(of: stored.order) == nil, stored.order.data.count <= ChainOrder.mostData else {
                throw .stored("order \(place) once, with at most \(ChainOrder.mostData) bytes")
            }
            let isFirst = place == 0 || !kept.entries[place - 1].signed.isEmpty
            guard stored.signed.isEmpty ? stored.outcome == nil : isFirst && firstNonce != nil else {
                throw .stored("orders that are signed one after the other, before they are over")
            }
            insert(Entry(order: stored.order, outcome: stored.outcome))
            for signature in stored.signed { try insert(signature, at: place) }
        }
    }

    private mutating func insert(_ stored: StoredSignature, at place: Int) throws(ChainDeskError) {
        let fees = ChainPolicy.Fees(maximum: stored.maximumFee, priority: stored.priorityFee)
        let transaction = transaction(at: place, fees)
        guard let signature = ChainSignature(isOdd: stored.isOdd, r: stored.r, s: stored.s),
            signature.signer(of: transaction.signingHash) == account,
            // Sums of a replacement's fees do not overflow.
            fees.maximum <= UInt64.max >> 2, fees.priority <= fees.maximum
        else { throw .stored("signatures of the account under order \(place)") }
        entries[place].signed.append(
            Signed(fees: fees, time: stored.time, bytes: transaction.encoded(with: signature), signature: signature))
    }
}

extension ChainPolicy {
    /// The same, in range.
    fileprivate var inRange: ChainPolicy {
        ChainPolicy(
            confirmations: confirmations, mostFee: mostFee, tip: tip, interval: interval, patience: patience,
            replaceAfter: replaceAfter, mostAtOnce: mostAtOnce, mostSignatures: mostSignatures)
    }
}
