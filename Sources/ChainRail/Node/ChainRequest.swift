internal import Marketplace

/// A question to a chain's node: JSON-RPC 2.0, in one line. The methods are those of Ethereum's execution APIs.
public struct ChainRequest: Sendable, Hashable {
    /// By which the answer is known.
    public let id: UInt64
    /// What is asked.
    public let method: String
    /// JSON, an array.
    let parameters: String

    /// What is sent, without an end of line.
    public var json: [UInt8] {
        Array(#"{"jsonrpc":"2.0","id":\#(id),"method":"\#(method)","params":\#(parameters)}"#.utf8)
    }

    static func block(_ number: UInt64?, id: UInt64) -> ChainRequest {
        ChainRequest(id: id, method: "eth_getBlockByNumber", parameters: #"["\#(tag(number))",false]"#)
    }

    static func chain(id: UInt64) -> ChainRequest { ChainRequest(id: id, method: "eth_chainId", parameters: "[]") }

    static func count(of account: ChainAddress, at block: UInt64?, id: UInt64) -> ChainRequest {
        ChainRequest(id: id, method: "eth_getTransactionCount", parameters: #"["\#(account)","\#(tag(block))"]"#)
    }

    static func receipt(of transaction: Digest256, id: UInt64) -> ChainRequest {
        ChainRequest(id: id, method: "eth_getTransactionReceipt", parameters: #"["0x\#(transaction.hex)"]"#)
    }

    static func send(_ transaction: [UInt8], id: UInt64) -> ChainRequest {
        ChainRequest(id: id, method: "eth_sendRawTransaction", parameters: #"["\#(transaction.hexadecimal)"]"#)
    }

    static func call(_ contract: ChainAddress, _ data: [UInt8], at block: UInt64?, id: UInt64) -> ChainRequest {
        let call = #"{"to":"\#(contract)","data":"\#(data.hexadecimal)"}"#
        return ChainRequest(id: id, method: "eth_call", parameters: #"[\#(call),"\#(tag(block))"]"#)
    }

    static func code(of contract: ChainAddress, at block: UInt64?, id: UInt64) -> ChainRequest {
        ChainRequest(id: id, method: "eth_getCode", parameters: #"["\#(contract)","\#(tag(block))"]"#)
    }

    private static func tag(_ block: UInt64?) -> String { block.map { "0x" + String($0, radix: 16) } ?? "latest" }
}
