internal import Foundation
internal import Marketplace

/// Why an answer of a node is none. What the node said is not repeated, but for the beginning of its own error.
public enum ChainAnswerError: Error, Sendable, Hashable, CustomStringConvertible {
    /// It is longer than any answer that is read.
    case tooLong(Int)
    /// It is not JSON-RPC with a number as its name.
    case notJSON
    /// The result is not what was asked for.
    case result(method: String, expected: String)
    /// The node refused, in its words: at most 200 printable characters.
    case node(String)

    /// What, and what would be right.
    public var description: String {
        switch self {
        case .tooLong(let count): "an answer of \(count) bytes: expected at most \(ChainAnswer.mostBytes)"
        case .notJSON:
            "an answer that is not JSON-RPC: expected an object with the request's id, and a result or an error"
        case .result(let method, let expected): "the answer to \(method): expected \(expected)"
        case .node(let words): "the node refused: \(words)"
        }
    }
}

/// Answers of a node, read strictly.
enum ChainAnswer {
    /// The longest answer that is read: a block's header with the names of its transactions is some hundred kilobytes.
    static let mostBytes = 1 << 21

    private struct Name: Decodable {
        let id: UInt64
    }

    /// Which request it answers.
    static func id(of answer: [UInt8]) throws(ChainAnswerError) -> UInt64 {
        guard answer.count <= mostBytes else { throw .tooLong(answer.count) }
        guard let name = try? JSONDecoder().decode(Name.self, from: Data(answer)) else { throw .notJSON }
        return name.id
    }

    private struct NodeError: Decodable {
        let message: String?
    }

    private struct Envelope<Result: Decodable>: Decodable {
        let result: Result?
        let error: NodeError?
    }

    /// The result, nil where it is null.
    static func result<Result: Decodable>(
        _ type: Result.Type, in answer: [UInt8], of method: String, expected: String
    ) throws(ChainAnswerError) -> Result? {
        guard answer.count <= mostBytes else { throw .tooLong(answer.count) }
        guard let envelope = try? JSONDecoder().decode(Envelope<Result>.self, from: Data(answer)) else {
            throw .result(method: method, expected: expected)
        }
        if let error = envelope.error { throw .node(words(error.message ?? "without words")) }
        return envelope.result
    }

    private static func words(_ text: String) -> String {
        String(String.UnicodeScalarView(text.unicodeScalars.lazy.filter { (32..<127).contains($0.value) }.prefix(200)))
    }
}

/// A number as nodes write it: `0x` and hexadecimal digits without leading zeros, at most 64 bits.
struct NodeNumber: Decodable {
    let value: UInt64

    init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let text = try container.decode(String.self)
        let digits = text.dropFirst(2)
        guard text.hasPrefix("0x"), digits == "0" || !digits.hasPrefix("0"), !digits.hasPrefix("+"),
            !digits.hasPrefix("-"),
            let value = UInt64(digits, radix: 16)
        else {
            throw DecodingError.dataCorruptedError(
                in: container, debugDescription: "expected 0x and at most 16 digits without leading zeros")
        }
        self.value = value
    }
}

/// Bytes as nodes write them.
struct NodeBytes: Decodable {
    let bytes: [UInt8]

    init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let text = try container.decode(String.self)
        guard text.hasPrefix("0x"), let bytes = [UInt8](hex: text.dropFirst(2)) else {
            throw DecodingError.dataCorruptedError(
                in: container, debugDescription: "expected 0x and hexadecimal digits")
        }
        self.bytes = bytes
    }
}

/// A block's header, as far as it is looked at.
struct NodeBlock: Decodable {
    let number: NodeNumber
    let hash: NodeBytes
    let baseFeePerGas: NodeNumber?
    let timestamp: NodeNumber
}

/// What became of a transaction, as far as it is looked at.
struct NodeReceipt: Decodable {
    let transactionHash: NodeBytes
    let blockHash: NodeBytes
    let blockNumber: NodeNumber
    let status: NodeNumber
}

/// What is asked of an escrow's chain, in the state of a block. Ask for one that is as old as the desk's confirmations, so that what is read
/// does not go away.
public enum EscrowQuestion: Sendable, Hashable {
    /// What stands, and from when it is final.
    case root, closes
    /// Whether a leaf was paid.
    case isPaid(UInt64)
    /// What the escrow has, in the token's units.
    case balance
    /// The contract's code, which ``EscrowTerms/code(at:)`` gives.
    case code
}

extension Escrow {
    /// The request for a node.
    ///
    /// - Parameter block: In whose state; nil: the latest.
    public func request(_ question: EscrowQuestion, at block: UInt64?, id: UInt64) -> ChainRequest {
        func call(_ signature: String, _ words: [UInt8] = []) -> ChainRequest {
            .call(contract.address, CallWords.call(signature, words), at: block, id: id)
        }
        switch question {
        case .root: return call("root()")
        case .closes: return call("closes()")
        case .isPaid(let index): return call("paid(uint256)", CallWords.word(index))
        case .balance:
            let data = CallWords.call("balanceOf(address)", CallWords.word(contract.address))
            return .call(terms.token, data, at: block, id: id)
        case .code: return .code(of: contract.address, at: block, id: id)
        }
    }

    /// The answer: a word, or the contract's code.
    ///
    /// - Throws: ``ChainAnswerError``.
    public static func bytes(of answer: [UInt8], to question: EscrowQuestion) throws(ChainAnswerError) -> [UInt8] {
        let isCode = question == .code
        let expected = isCode ? "a contract's code" : "32 bytes"
        let method = isCode ? "eth_getCode" : "eth_call"
        guard
            let bytes = try ChainAnswer.result(NodeBytes.self, in: answer, of: method, expected: expected)?.bytes,
            isCode || bytes.count == 32
        else { throw .result(method: method, expected: expected) }
        return bytes
    }

    /// The answer as a number below 2^128.
    ///
    /// - Throws: ``ChainAnswerError``.
    public static func number(of answer: [UInt8], to question: EscrowQuestion) throws(ChainAnswerError) -> UInt128 {
        let bytes = try bytes(of: answer, to: question)
        guard bytes.count == 32, bytes.prefix(16).allSatisfy({ $0 == 0 }) else {
            throw .result(method: "eth_call", expected: "a number below 2^128")
        }
        return bytes.suffix(16).reduce(0) { $0 << 8 | UInt128($1) }
    }
}
