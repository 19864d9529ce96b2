public import Foundation

/// With what a run's frames begin. It is no secret and proves nothing; but whoever reads frames refuses at its first bytes what cannot be for this run, and holds no place for it.
public struct FrameStart: Sendable, Hashable {
    private let kinds: [Data]
    /// Of the run, or the task.
    private let name: Data
    /// How many places senders have; nil: frames name none.
    private let senders: Int?

    /// Of sites' frames (``SignedMessage``).
    public static func sites(_ count: Int, run: Data) -> FrameStart {
        FrameStart(kinds: ["PRM1", "PRM2"].map { Data($0.utf8) }, name: run, senders: count)
    }

    /// Of devices' frames (``SignedDeviceMessage``).
    public static func devices(run: Data) -> FrameStart {
        FrameStart(kinds: [Data("PDM1".utf8)], name: run, senders: nil)
    }

    /// Of what a tally's aggregators are sent: reports, jobs and questions.
    public static func tally(_ role: TallyRole, task: Data) -> FrameStart {
        FrameStart(
            kinds: (role == .leader ? ["PTR1", "PTM1"] : ["PTM1"]).map { Data($0.utf8) }, name: task, senders: nil)
    }

    /// How many bytes are looked at.
    public var count: Int { 4 + name.count + (senders == nil ? 0 : 4) }

    /// Looks at a frame's first bytes, ``count`` of them.
    ///
    /// - Throws: `frame`, `run`, `sender`.
    public func check(_ start: some Collection<UInt8>) throws(FrameError) {
        let start = Data(start)
        guard start.count == count, kinds.contains(start.prefix(4)) else {
            let words = kinds.map { String(decoding: $0, as: UTF8.self) }.joined(separator: " or ")
            throw .frame(expected: "a frame that begins with \(words)")
        }
        guard start.dropFirst(4).prefix(name.count) == name else { throw .run }
        guard let senders else { return }
        guard start.littleEndian(at: 4 + name.count, as: UInt32.self) < senders else { throw .sender }
    }
}
