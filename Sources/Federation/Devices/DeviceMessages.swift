public import Foundation
internal import Secrets

/// Which device: 32 bytes that the caller authenticates. With cohorts its Ed25519 public key.
public struct DeviceKey: Sendable, Hashable, Comparable {
    /// Four words for a hash. (A vector of them would have to lie at multiples of 32, which frames of asynchronous functions do not see to.)
    struct Words: Hashable, BitwiseCopyable {
        let first, second, third, fourth: UInt64
    }

    let words: Words

    /// nil for anything but 32 bytes.
    public init?(_ bytes: Data) {
        guard bytes.count == 32 else { return nil }
        words = bytes.withUnsafeBytes { $0.loadUnaligned(as: Words.self) }
    }

    /// The 32 bytes.
    public var bytes: Data { withUnsafeBytes(of: words) { Data($0) } }

    /// An order, the same everywhere.
    public static func < (one: DeviceKey, other: DeviceKey) -> Bool {
        let (a, b) = (one.words, other.words)
        if a.first != b.first { return a.first < b.first }
        if a.second != b.second { return a.second < b.second }
        if a.third != b.third { return a.third < b.third }
        return a.fourth < b.fourth
    }
}

extension DeviceKey: Codable {
    /// - Throws: For anything but 32 bytes.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        guard let key = DeviceKey(try container.decode(Data.self)) else {
            throw DecodingError.dataCorruptedError(in: container, debugDescription: "a device's key: expected 32 bytes")
        }
        self = key
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(bytes)
    }
}

/// What shows that a device was admitted to a cycle: 32 bytes that nobody guesses, good for that device and that cycle alone.
public struct DeviceTicket: Sendable {
    let bytes: [UInt8]

    init(_ bytes: [UInt8]) { self.bytes = bytes }
}

extension DeviceTicket: Hashable, Codable, CustomStringConvertible, CustomReflectable {
    /// In a time that does not depend on where they differ.
    public static func == (one: DeviceTicket, other: DeviceTicket) -> Bool { constantTimeEqual(one.bytes, other.bytes) }

    public func hash(into hasher: inout Hasher) { hasher.combine(bytes) }

    /// - Throws: For anything but 32 bytes.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let bytes = try container.decode(Data.self)
        guard bytes.count == 32 else {
            throw DecodingError.dataCorruptedError(in: container, debugDescription: "a ticket: expected 32 bytes")
        }
        self.init([UInt8](bytes))
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(Data(bytes))
    }

    /// The name alone: whoever holds a ticket may use it.
    public var description: String { "DeviceTicket" }
    /// Nothing.
    public var customMirror: Mirror { Mirror(self, children: []) }
}

/// What a device sends. Who it is from is for the connection to authenticate.
public enum DeviceMessage: Sendable, Hashable, Codable {
    /// It would take part, and tells how it is (``DeviceRequirements/told(of:)``).
    case checkIn(conditions: DeviceConditions)
    /// It goes on with its ticket, and holds the model of that digest.
    case resume(ticket: DeviceTicket, holds: Data?)
    /// Its update, as integers of the plan's grid.
    case report(ticket: DeviceTicket, integers: Packed<Int64>)
    /// It gives its place back. Nobody is told why.
    case decline(ticket: DeviceTicket)
}

/// What a device is told to do now. It follows from the coordinator's state, so that a lost message costs nothing but a repetition.
public enum DeviceReply: Sendable, Hashable, Codable {
    /// It is admitted: its ticket, the cycle, whose model it computes on, and in how many seconds the cycle ends at the latest.
    case accepted(ticket: DeviceTicket, header: RoundHeader, seconds: Double)
    /// It has no place, or what it sent does not count: why, and after how many seconds to come again.
    case rejected(seconds: Double, reason: DeviceRefusal)
    /// The cycle's model.
    case model(model: RunModel)
    /// Its cohort is not yet known; ask again after so many seconds.
    case wait(seconds: Double)
    /// With whom it aggregates, and in how many seconds the cycle ends at the latest.
    case cohort(cohort: DeviceCohort, seconds: Double)
    /// Its report is counted; nothing more is to be done in this cycle.
    case thanks
    /// The run is over, with this model after so many steps.
    case over(round: Int, model: Data)
}

/// Why a device has no place, or why what it sent does not count: public words, of its own message and the schedule.
public enum DeviceRefusal: String, Sendable, Hashable, Codable, CodingKeyRepresentable, CaseIterable {
    /// Its battery is too empty, its network costs, somebody uses it, or it receives or sends too slowly.
    case battery, metered, busy, download, upload
    /// All places are taken.
    case full
    /// Nobody is admitted now.
    case closed
    /// It was admitted a short while ago.
    case resting
    /// The ticket is not one of this device and a cycle that is remembered.
    case ticket
    /// The ticket was given back, or its report did not count.
    case spent
    /// The cycle has ended.
    case late
    /// The report has another number of entries than the plan, one that is out of the grid's range, or a larger norm than the plan's.
    case length, range, norm
    /// The report was counted before: it is thanked for, and not counted again.
    case `repeated`
    /// The plan's reports do not come here, but to a cohort.
    case way
}
