internal import Crypto
internal import Foundation

/// What masks a participant's input, chunk after chunk, in memory of one chunk; it holds the pairs' seeds and is never stored.
///
/// **A second vector under the same masks would show the difference of both**: so an input is bound first, by a keyed digest for each chunk in the
/// participant's state, and no other chunk is masked. Noise is part of the input: it is drawn once, and the noisy vector is stored before it is bound.
public struct Masking: Sendable {
    private let session: AggregationSession
    private let streams: [MaskStream]
    private let digests: [Data]
    private let inputKey: SymmetricKey

    init(_ participant: AggregationParticipant, digests: [Data]) throws(AggregationError) {
        let keys = try participant.keys(for: "mask")
        guard let shared = participant.state.shared, let received = participant.state.received else {
            throw .order("mask", expected: "receive before it")
        }
        session = participant.session
        self.digests = digests
        inputKey = SymmetricKey(data: keys.input.data)
        let own = try AggregationParticipant.agreementKey(keys.mask, participant: participant.index)
        let senders = Set(received.map(\.owner))
        var streams = [
            MaskStream(
                key: PairKeys.ownMask(keys.seed.data, participant: participant.index, session: session.digest),
                modulusBits: session.modulusBits, isNegative: false)
        ]
        for neighbour in shared.neighbours where senders.contains(neighbour.index) {
            let key = try PairKeys.mask(
                own, of: participant.index, peer: (neighbour.index, neighbour.maskKey), session: session.digest)
            // Of a pair, the one with the lesser place adds and the other subtracts.
            streams.append(
                MaskStream(key: key, modulusBits: session.modulusBits, isNegative: participant.index > neighbour.index))
        }
        self.streams = streams
    }

    /// Masks a chunk of the bound input in place. The same chunk gives the same result each time.
    ///
    /// - Parameter threads: How many of them expand masks; the result does not depend on it.
    /// - Throws: `parameter` for a chunk that there is not, of the wrong size or with entries beyond the modulus; `anotherInput`.
    public func apply(to values: inout [UInt64], chunk: Int, threads: Int = 1) throws(AggregationError) {
        try session.check(values, chunk: chunk)
        guard chunk < digests.count,
            SecretBytes(digests[chunk]).isEqual(
                Self.digest(values, chunk: chunk, modulusBits: session.modulusBits, key: inputKey))
        else {
            throw .anotherInput(chunk: chunk)
        }
        mask(&values, offset: session.chunk(chunk).lowerBound, threads: threads)
    }

    /// For entries that were just found to be the bound ones.
    fileprivate func mask(_ values: inout [UInt64], offset: Int, threads: Int) {
        MaskStream.addAll(
            streams, to: &values, offset: offset, modulusMask: session.modulusMask, threads: threads)
    }

    /// - Parameter modulusBits: The session's: entries below 2^32 are digested as four bytes each.
    static func digest(_ values: [UInt64], chunk: Int, modulusBits: Int, key: SymmetricKey) -> Data {
        var code = HMAC<SHA256>(key: key)
        var place = UInt64(chunk).littleEndian
        withUnsafeBytes(of: &place) { code.update(data: $0) }
        // Native words: the digest is compared on the machine that made it.
        if modulusBits <= 32 {
            values.map { UInt32(truncatingIfNeeded: $0) }.withUnsafeBytes { code.update(data: $0) }
        } else {
            values.withUnsafeBytes { code.update(data: $0) }
        }
        return Data(code.finalize())
    }
}

extension Masking: CustomStringConvertible, CustomReflectable {
    /// The name alone.
    public var description: String { "Masking" }
    /// Nothing: masks are never printed.
    public var customMirror: Mirror { Mirror(self, children: []) }
}

extension AggregationParticipant {
    /// Round 2, second half, for vectors that do not fit into memory: reads the input once, chunk after chunk (``AggregationSession/chunk(_:)``), and binds
    /// the masks to it, for good. The caller then stores the state, and masks with ``masking()``.
    ///
    /// A second call with the same input changes nothing. Throws `order` before ``receive(_:)``, `parameter` for a chunk of the wrong size or an entry beyond
    /// the modulus, `anotherInput`, and what `read` throws.
    public mutating func bind(_ read: (Range<Int>) throws -> [UInt64]) throws {
        guard state.received != nil else { throw AggregationError.order("bind", expected: "receive before it") }
        let key = SymmetricKey(data: try keys(for: "bind").input.data)
        var digests: [Data] = []
        for chunk in 0..<session.chunkCount {
            let values = try read(session.chunk(chunk))
            try session.check(values, chunk: chunk)
            digests.append(Masking.digest(values, chunk: chunk, modulusBits: session.modulusBits, key: key))
        }
        if let bound = state.input {
            for chunk in bound.indices where !SecretBytes(bound[chunk]).isEqual(digests[chunk]) {
                throw AggregationError.anotherInput(chunk: chunk)
            }
        }
        state.input = digests
    }

    /// What masks the bound input's chunks. Throws `order` before one is bound or after shares were opened.
    public func masking() throws(AggregationError) -> Masking {
        guard let digests = state.input else { throw .order("mask", expected: "an input that was bound before it") }
        return try Masking(self, digests: digests)
    }

    /// Round 2, second half: binds the masks to a whole input, of `length` entries below the modulus, and masks it. The caller stores state and result
    /// before it sends the result. The same input gives the same result; another one is refused with `anotherInput`. Throws as ``bind(_:)`` and ``masking()``.
    public mutating func mask(_ input: [UInt64], threads: Int = 1) throws(AggregationError) -> [UInt64] {
        guard input.count == session.length else { throw .parameter("input", expected: "\(session.length) entries") }
        do { try bind { Array(input[$0]) } } catch let error as AggregationError { throw error } catch {
            throw .order("mask", expected: "an input that can be read")
        }
        let masking = try masking()
        var masked = input
        masking.mask(&masked, offset: 0, threads: threads)
        return masked
    }
}
