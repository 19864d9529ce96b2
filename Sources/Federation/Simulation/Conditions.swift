/// What happens to a simulated run: delays in seconds, and how often what goes wrong does.
public struct Conditions: Sendable {
    /// Of a message, one way: uniform in this range.
    public var latency: ClosedRange<Double> = 0.01...0.1
    /// Of a participant's work on an update: uniform in this range, each participant's own.
    public var work: ClosedRange<Double> = 0.5...2
    /// Which part of the participants takes ``stragglerFactor`` times as long.
    public var stragglers = 0.0
    /// How much longer stragglers take.
    public var stragglerFactor = 10.0
    /// With which probability a message or its reply is lost.
    public var loss = 0.0
    /// With which probability a participant ends for good at a message.
    public var dropOut = 0.0
    /// With which probability a participant is killed while it takes a reply, before or after its state was stored.
    public var participantCrash = 0.0
    /// With which probability the coordinator is killed while it answers, before or after its state was stored.
    public var coordinatorCrash = 0.0
    /// How long who was killed is away.
    public var away: ClosedRange<Double> = 0.5...3
    /// After how many seconds without a reply a message is sent again.
    public var patience = 5.0

    /// A network that works.
    public init() {}
}
