import Foundation
import MarketplaceStore
import Testing

@testable import Marketplace

@Suite("A process that is killed while it stores", .serialized)
struct KilledProcessTests {
    private func program() -> URL? {
        let url = URL(filePath: CommandLine.arguments[0]).deletingLastPathComponent().appending(
            path: "parley-bench")
        return FileManager.default.isExecutableFile(atPath: url.path()) ? url : nil
    }

    /// Runs it until it told of so many more lines, and kills it wherever it is. Returns the last number that it told.
    private func run(_ what: String, _ path: String, lines count: Int) throws -> Int {
        let process = BegunProcess()
        let program: URL = try #require(self.program(), "there is no parley-bench beside the tests")
        process.executableURL = program
        process.arguments = ["child", what, path]
        let output = Pipe()
        process.standardOutput = output
        try process.begin()
        var lines = Data()
        while lines.count(where: { $0 == UInt8(ascii: "\n") }) < count {
            let more = output.fileHandleForReading.availableData
            if more.isEmpty { break }
            lines += more
        }
        kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
        lines += output.fileHandleForReading.readDataToEndOfFile()
        let numbers = String(decoding: lines, as: UTF8.self).split(separator: "\n").compactMap { Int($0) }
        return try #require(numbers.last)
    }

    @Test("Killed 12 times with SIGKILL: every entry that it told of is there, and the log goes on")
    func killed() throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "killed-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let path = folder.appending(path: "log").path()
        var told = 0
        for time in 0..<12 {
            let last = try run("market", path, lines: 3 + time)
            #expect(last > told)
            told = last
            let ledger = try DurableLedger(try LogFile(path: path), from: Book())
            #expect(ledger.position.count >= told && ledger.position.count <= told + 3)
            #expect(ledger.state.isBalanced && ledger.state.entryCount == ledger.position.count)
        }
    }

    @Test(
        "A market's folder, killed 12 times: a copy is verified as it is, has what was told under the signed root, and goes on"
    )
    func folders() throws {
        let place = TemporaryPath()
        var told = 0
        for time in 0..<12 {
            let last = try run("market-folder", place.path, lines: 3 + 7 * time)
            #expect(last > told)
            told = last
            let audit = try MarketAudit(of: place.path)
            #expect(audit.count >= told && audit.count + audit.unsealed <= told + 1)
            let money = audit.market.book[Market.account(of: party("sue"))]?.balance
            #expect(money == Int64(audit.count - 1))
        }
    }

    @Test("One process at a time has a log open, and a file that cannot be opened says why")
    func oneAtATime() throws {
        let path = FileManager.default.temporaryDirectory.appending(path: "log-\(UUID().uuidString)").path()
        defer { try? FileManager.default.removeItem(atPath: path) }
        let first = try LogFile(path: path)
        try first.write([1])
        #expect(throws: DiskError.self) { try LogFile(path: path) }
        #expect(try first.read() == [1])
        #expect(throws: DiskError.self) { try LogFile(path: path + "/none") }
    }
}
