import Crypto
import Foundation
import Testing

@testable import Federation

@Suite("The first bytes of frames")
struct FrameStartTests {
    private static let run = Data(repeating: 3, count: 16)

    /// Frames of all kinds, and what each is looked at by.
    private static func frames() throws -> [(Data, FrameStart)] {
        let key = Curve25519.Signing.PrivateKey()
        var tally = try TallyFixture(TallyFixture.plan(.count))
        let report = try tally.frame(.flag(true))
        _ = try tally.upload(report)
        let job = try tally.leading.frame(tally.leading.aggregation(try #require(tally.leader.next(most: 1))))
        return [
            (
                try SignedMessage(body: Data([1]), run: run, sender: 2, number: 1, key: key).bytes,
                .sites(3, run: run)
            ),
            (
                try SignedDeviceMessage(
                    .resume(ticket: DeviceTicket(Array(repeating: 1, count: 32)), holds: nil), run: run, number: 1,
                    key: key
                ).bytes,
                .devices(run: run)
            ),
            (report, .tally(.leader, task: tally.task.digest)),
            (try tally.collector.question(), .tally(.leader, task: tally.task.digest)),
            (job, .tally(.helper, task: tally.task.digest)),
        ]
    }

    @Test(
        "Those of each kind of frame pass, as the frames are written; with any bit of kind, run or sender's place changed they do not"
    )
    func kinds() throws {
        for (frame, start) in try Self.frames() {
            let first = frame.prefix(start.count)
            try start.check(first)
            for byte in first.indices {
                for bit in 0..<8 {
                    var changed = first
                    changed[byte] ^= 1 << UInt8(bit)
                    // Places 0 to 2 of three are a roster's: bits 0 and 1 of the place lead to another one.
                    let isPlace = byte == 20 && bit < 2 && start == .sites(3, run: Self.run)
                    if isPlace, changed[byte] < 3 {
                        try start.check(changed)
                    } else {
                        #expect(throws: FrameError.self, "\(start) byte \(byte)") { try start.check(changed) }
                    }
                }
            }
            #expect(throws: FrameError.self) { try start.check(first.dropLast()) }
            #expect(throws: FrameError.self) { try start.check(Data()) }
        }
    }

    @Test("It is said what is wrong")
    func words() throws {
        let start = FrameStart.sites(2, run: Self.run)
        let frame = try SignedMessage(
            body: Data([1]), run: Self.run, sender: 2, number: 1, key: Curve25519.Signing.PrivateKey()
        ).bytes
        #expect(throws: FrameError.sender) { try start.check(frame.prefix(start.count)) }
        let other = FrameStart.sites(3, run: Data(repeating: 4, count: 16))
        #expect(throws: FrameError.run) { try other.check(frame.prefix(other.count)) }
        let devices = FrameStart.devices(run: Self.run)
        #expect(throws: FrameError.frame(expected: "a frame that begins with PDM1")) {
            try devices.check(frame.prefix(devices.count))
        }
    }
}
