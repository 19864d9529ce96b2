/// What was measured: private already. The type says where the noise came from, and only what measures makes one, so
/// that whoever takes a `Measured<_, SecureRandom>` gets no noise that somebody with a seed could take off again.
public struct Measured<Answer: Sendable, Generator: RandomNumberGenerator>: Sendable {
    /// What may be released: noisy, and computed from what is noisy alone.
    public let answer: Answer
    /// The events that happened: at most those that were planned.
    public let events: [PrivacyEvent]

    package init(answer: Answer, events: [PrivacyEvent]) {
        self.answer = answer
        self.events = events
    }
}
