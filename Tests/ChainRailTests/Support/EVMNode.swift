import Foundation
import Marketplace
import Testing

@testable import ChainRail

/// A real EVM (PyPI's py-evm by eth-tester) in a process of its own, which answers on its standard output.
final class EVMNode {
    private let process = BegunProcess()
    private let input = Pipe(), output = Pipe()
    private var unread = Data()
    private var nextID: UInt64 = 1

    /// Python with eth-tester: PARLEY_EVM_PYTHON, or what scripts/evm-environment makes.
    static let python: String? = {
        if let path = ProcessInfo.processInfo.environment["PARLEY_EVM_PYTHON"] { return path }
        var folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        while folder.path != "/" {
            let path = folder.appending(path: ".build/environments/evm/bin/python").path
            if FileManager.default.isExecutableFile(atPath: path) { return path }
            folder.deleteLastPathComponent()
        }
        return nil
    }()
    static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .appending(path: "evm")

    init() throws {
        process.executableURL = URL(fileURLWithPath: try #require(Self.python))
        process.arguments = ["-B", Self.folder.appending(path: "serve.py").path]
        process.standardInput = input
        process.standardOutput = output
        try process.begin()
    }

    deinit {
        try? input.fileHandleForWriting.close()
        if process.isRunning { process.killAndWait() }
    }

    /// The answer to a request.
    func answer(_ request: [UInt8]) throws -> [UInt8] {
        try input.fileHandleForWriting.write(contentsOf: Data(request + [UInt8(ascii: "\n")]))
        while true {
            if let end = unread.firstIndex(of: UInt8(ascii: "\n")) {
                defer { unread = Data(unread[unread.index(after: end)...]) }
                return [UInt8](unread[..<end])
            }
            let more = output.fileHandleForReading.availableData
            try #require(!more.isEmpty, "the EVM's process has ended")
            unread.append(more)
        }
    }

    /// The result of a method, whose parameters are JSON.
    @discardableResult
    func ask(_ method: String, _ parameters: [Any]) throws -> Any {
        defer { nextID += 1 }
        let request: [String: Any] = ["id": nextID, "method": method, "params": parameters]
        let answer = try answer([UInt8](JSONSerialization.data(withJSONObject: request)))
        let object = try #require(try JSONSerialization.jsonObject(with: Data(answer)) as? [String: Any])
        return try #require(object["result"], "\(method): \(object)")
    }

    func bytes(_ question: EscrowQuestion, of escrow: Escrow) throws -> [UInt8] {
        try Escrow.bytes(of: answer(escrow.request(question, at: nil, id: 1).json), to: question)
    }

    func number(_ question: EscrowQuestion, of escrow: Escrow) throws -> UInt128 {
        try Escrow.number(of: answer(escrow.request(question, at: nil, id: 1).json), to: question)
    }

    /// What somebody has of a token.
    func balance(of holder: ChainAddress, token: ChainAddress) throws -> UInt128 {
        let call = CallWords.call("balanceOf(address)", CallWords.word(holder))
        let answer = try answer(ChainRequest.call(token, call, at: nil, id: 1).json)
        return try Escrow.number(of: answer, to: .balance)
    }

    var time: UInt64 {
        get throws {
            let block = try #require(try ask("eth_getBlockByNumber", ["latest", false]) as? [String: Any])
            let text = try #require(block["timestamp"] as? String)
            return try #require(UInt64(text.dropFirst(2), radix: 16))
        }
    }

    var chain: UInt64 {
        get throws {
            let text = try #require(try ask("eth_chainId", []) as? String)
            return try #require(UInt64(text.dropFirst(2), radix: 16))
        }
    }

    /// Makes one of the tests' tokens.
    func token(_ name: String) throws -> ChainAddress {
        let artefacts = try JSONDecoder().decode(
            [String: String].self, from: Data(contentsOf: Self.folder.appending(path: "tokens.json")))
        let code = try #require(artefacts[name])
        let receipt = try #require(try ask("test_send", [NSNull(), code]) as? [String: Any])
        let address = try #require(receipt["contractAddress"] as? String)
        // Its letters' cases are not always the checksum's.
        return try #require(ChainAddress(address.lowercased()))
    }

    /// Calls a function from an account that has coins.
    func send(_ contract: ChainAddress, _ data: [UInt8]) throws {
        let receipt = try #require(try ask("test_send", [contract.description, data.hexadecimal]) as? [String: Any])
        #expect(receipt["status"] as? String == "0x1")
    }

    /// Lets a desk go on until its orders are over; a block is made at each turn.
    func run(_ desk: inout ChainDesk, turns: Int = 200) throws {
        var time: Int64 = 0
        for _ in 0..<turns where !desk.isIdle {
            for request in try desk.turn(at: time, storing: { (_: [UInt8]) throws in }) {
                try desk.take(answer(request.json))
            }
            try ask("test_mine", [1])
            time += 1
        }
        #expect(desk.isIdle, "\(String(describing: desk.trouble))")
    }
}
