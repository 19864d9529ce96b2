internal import Foundation

/// One cycle as it stands: numbers, and one sum, however many devices there are.
struct DeviceCycle: Sendable, Codable {
    /// What all of its devices agree on. Nobody is asked by a place in a roster: devices come.
    let header: RoundHeader
    /// When the first device asked; nil: nobody has. The cycle's time runs from there, whether that device was admitted or not: a night without devices uses
    /// no cycle up, and one in which all of them rest passes.
    var began: Double?
    /// Of the reports that were counted; empty with cohorts.
    var sum: Packed<Int64>
    /// How many devices were admitted, those that gave their place back counted.
    var admitted = 0
    /// How many of them are at work.
    var open = 0
    /// How many reports are in the sum.
    var counted = 0
    /// Who aggregates, when admission has ended.
    var cohort: DeviceCohort?

    init(_ header: RoundHeader, length: Int) {
        self.header = header
        sum = Packed([Int64](repeating: 0, count: length))
    }
}

/// What became of a cycle.
///
/// With noise at the server its numbers are the coordinator's alone: what of them anybody may see is said at ``DevicePrivacy``.
public struct CycleOutcome: Sendable, Hashable, Codable {
    /// The cycle's attempt.
    public let attempt: Int
    /// What became of it.
    public let end: End
    /// How many devices were admitted.
    public let admitted: Int
    /// How many reports were counted.
    public let counted: Int
    /// How long it took, from the first device that asked.
    public let seconds: Double

    /// How a cycle ends.
    public enum End: String, Sendable, Hashable, Codable {
        /// It changed the model.
        case stepped
        /// Void: too few devices were admitted, or too few reports counted, in its time.
        case tooFewDevices, tooFewReports
        /// Void: its step led to weights that are no numbers.
        case notFinite
    }
}

/// How often things happened in a run: for those who operate it. Not part of what must be stored before a reply.
public struct DeviceCounts: Sendable, Hashable, Codable {
    /// Admissions, places that were given back, reports that were counted.
    public internal(set) var (accepted, declined, counted) = (0, 0, 0)
    /// Messages that were refused, by why.
    public internal(set) var refusals: [DeviceRefusal: Int] = [:]
}
