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
            dealer: Data(repeating: 1, count: 32), key: Data(count: 32), header: Data([1, 2, 3]), expires: expires)
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

    @Test("What ended goes, and what nobody makes or takes any more; what is being made or taken stays")
    func swept() throws {
        try keep(1, expires: 1_000)
        let later = UInt64(Date().timeIntervalSince1970) + 100_000
        let kept = try keep(2, expires: later)
        var making: SpooledSteps? = try shelf.begin(Data(repeating: 3, count: 16))
        // Of a process that ended: nobody holds it.
        _ = try shelf.begin(Data(repeating: 6, count: 16))
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
        #expect(making != nil)
        making = nil
        shelf.sweep(now: later)
        #expect(names() == [".taken-\(now - 10)-x"])
        // One that has no file yet is somebody's for a minute.
        let folder = shelf.path + "/.new-" + String(repeating: "07", count: 16)
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: false)
        shelf.sweep(now: now)
        #expect(names().count == 2)
        try FileManager.default.setAttributes(
            [.modificationDate: Date(timeIntervalSinceNow: -61)], ofItemAtPath: folder)
        shelf.sweep(now: now)
        let held = try shelf.begin(Data(repeating: 4, count: 16))
        #expect(names().count == 2 && names().contains(".taken-\(now - 10)-x"))
        withExtendedLifetime(held) {}
        // When nobody else works on it.
        shelf.removeRemains()
        #expect(names().isEmpty)
    }

    @Test("A bit that the disk lost, anywhere, is seen before anything is computed with it")
    func lostBits() throws {
        for place in [0, 4_097, 9_999, 12_288, 12_289] {
            let kept = try keep(1)
            let path = shelf.path + "/" + names()[0] + "/correlations"
            #expect(shelf.isWhole(try #require(shelf.all().first)))
            var bytes = try Data(contentsOf: URL(filePath: path))
            bytes[place] ^= 32
            try bytes.write(to: URL(filePath: path))
            #expect(!shelf.isWhole(try #require(shelf.all().first)), "\(place)")
            #expect(throws: (any Error).self) { try self.shelf.take(kept.session) }
            #expect(names().isEmpty)
        }
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
        // What cannot be read goes when the shelf is swept, and nothing else with it.
        for byte in UInt8(3)..<6 { try keep(byte) }
        let paths = try [UInt8(3), 4].map { byte in
            shelf.path + "/" + (try #require(names().first { $0.hasPrefix("0\(byte)") }))
        }
        try Data("{}".utf8).write(to: URL(filePath: paths[0] + "/session.json"))
        try FileManager.default.removeItem(atPath: paths[1] + "/session.json")
        shelf.sweep(now: 10)
        #expect(names() == [String(repeating: "05", count: 16)])
    }

    @Test("A draft is nowhere before it is published, and then as any other; given up, it leaves nothing")
    func drafts() throws {
        let records = [record(1), record(2)]
        for record in records {
            let steps = try shelf.begin(record.session)
            try steps.append([9, 9, 9], step: 1)
            try shelf.complete(record, steps)
        }
        #expect(shelf.all().isEmpty && shelf.claim(records[0].session) == nil)
        #expect(try shelf.take(records[0].session) == nil)
        try shelf.publish(records[0].session)
        shelf.abandon(records[1].session)
        #expect(shelf.all().map(\.session) == [records[0].session] && names().count == 1)
        let (_, steps) = try #require(try shelf.take(records[0].session))
        #expect(try steps.take(1).withBytes(Array.init) == [9, 9, 9])
    }

    @Test("What one has claimed no other claims until the claim ends, and whoever claimed it takes it")
    func claims() throws {
        let session = try keep(1).session
        var claim = shelf.claim(session)
        #expect(claim != nil && shelf.claim(session) == nil)
        #expect(shelf.all().count == 1)
        claim = nil
        claim = shelf.claim(session)
        #expect(claim != nil)
        #expect(try shelf.take(session) != nil)
        #expect(shelf.claim(session) == nil && shelf.claim(Data(repeating: 8, count: 16)) == nil)
        withExtendedLifetime(claim) {}
    }
}
