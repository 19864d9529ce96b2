import Foundation
import ModularArithmetic
import Testing

@testable import EncryptedPrediction

@Suite("What is prepared for predictions, on the disk")
final class PreparationShelfTests {
    private let folder = FileManager.default.temporaryDirectory.path + "/shelf-\(UUID().uuidString)"
    private var shelf: PreparationShelf { PreparationShelf(path: folder + "/prepared") }

    deinit { try? FileManager.default.removeItem(atPath: folder) }

    private func record(_ byte: UInt8, expires: UInt64 = 1_000) -> PreparedSession {
        PreparedSession(
            session: Data(repeating: byte, count: 16), dataset: "scans", version: "v", rows: 3, other: "ada",
            key: Data(count: 32), header: Data([1, 2, 3]), expires: expires)
    }

    @discardableResult private func keep(_ byte: UInt8, expires: UInt64 = 1_000) throws -> PreparedSession {
        let record = record(byte, expires: expires)
        let steps = try shelf.begin(record.session)
        try steps.append([UInt8](repeating: byte, count: 10_000), step: 4)
        try steps.append([byte, 7], step: 9)
        try shelf.keep(record, steps)
        return record
    }

    private func names() -> [String] { (try? FileManager.default.contentsOfDirectory(atPath: shelf.path)) ?? [] }

    @Test("It comes back as it was put there, by another process, for its owner alone; once, and nothing has a name")
    func once() throws {
        #expect(shelf.all().isEmpty)
        let kept = try keep(5)
        let found = try #require(PreparationShelf(path: shelf.path).all().first)
        #expect(found.session == kept.session && found.header == kept.header && found.bytes == 10_005)
        for (path, mode) in [("", 0o700), ("/" + names()[0], 0o700), ("/" + names()[0] + "/correlations", 0o600)] {
            let attributes = try FileManager.default.attributesOfItem(atPath: shelf.path + path)
            #expect(attributes[.posixPermissions] as? Int == mode, "\(path)")
        }
        let (record, steps) = try #require(try shelf.take(kept.session))
        #expect(record == found && names().isEmpty)
        #expect(try steps.take(4).withBytes(Array.init) == [UInt8](repeating: 5, count: 10_000))
        #expect(try steps.take(9).withBytes(Array.init) == [5, 7])
        #expect(throws: (any Error).self) { try steps.take(9) }
        #expect(try shelf.take(kept.session) == nil)
        #expect("\(record)" == "PreparedSession(3 rows of v)")
    }

    @Test("Of many who take it one has it")
    func racing() async throws {
        for byte in UInt8(0)..<8 {
            let session = try keep(byte).session
            let shelf = shelf
            let taken = await withTaskGroup(of: Bool.self) { group in
                for _ in 0..<16 { group.addTask { (try? shelf.take(session)).flatMap { $0 } != nil } }
                return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
            }
            #expect(taken == 1)
        }
    }

    @Test("What ended goes, and what was left half made or half taken some hours ago; what is being made stays")
    func swept() throws {
        try keep(1, expires: 1_000)
        let later = UInt64(Date().timeIntervalSince1970) + 100_000
        let kept = try keep(2, expires: later)
        _ = try shelf.begin(Data(repeating: 3, count: 16))
        let now = UInt64(Date().timeIntervalSince1970)
        try FileManager.default.createDirectory(
            atPath: shelf.path + "/.taken-\(now - 8_000)-x", withIntermediateDirectories: false)
        try FileManager.default.createDirectory(
            atPath: shelf.path + "/.taken-\(now - 10)-x", withIntermediateDirectories: false)
        shelf.sweep(now: now)
        #expect(shelf.all().map(\.session) == [kept.session])
        #expect(
            Set(names().filter { $0.hasPrefix(".") }) == [
                ".new-" + String(repeating: "03", count: 16), ".taken-\(now - 10)-x",
            ])
        for name in names() where name.hasPrefix(".new-") {
            for path in [name, name + "/correlations"] {
                try FileManager.default.setAttributes(
                    [.modificationDate: Date(timeIntervalSinceNow: -8_000)], ofItemAtPath: shelf.path + "/" + path)
            }
        }
        shelf.sweep(now: later)
        _ = try shelf.begin(Data(repeating: 4, count: 16))
        #expect(names().count == 2 && names().contains(".taken-\(now - 10)-x"))
        // When nobody else works on it.
        shelf.removeRemains()
        #expect(names().isEmpty)
    }

    @Test("What is damaged is not listed, or is refused and gone: it serves nobody")
    func damaged() throws {
        let session = try keep(1).session
        let path = shelf.path + "/" + names()[0]
        // Steps that lie beyond the file.
        try Data([1, 2, 3]).write(to: URL(filePath: path + "/correlations"))
        #expect(throws: (any Error).self) { try self.shelf.take(session) }
        #expect(names().isEmpty)
        let other = try keep(2).session
        try Data("{".utf8).write(to: URL(filePath: shelf.path + "/" + names()[0] + "/session.json"))
        #expect(shelf.all().isEmpty)
        #expect(throws: (any Error).self) { try self.shelf.take(other) }
        #expect(names().isEmpty)
    }
}
