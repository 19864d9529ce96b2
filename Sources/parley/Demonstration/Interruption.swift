import UnixSignals

/// Ctrl-C, or a polite request to end, taken as a value instead of a death: what was begun can be put away.
enum Interruption {
    static func wait() async {
        for await _ in await UnixSignalsSequence(trapping: .sigint, .sigterm) { return }
    }
}
