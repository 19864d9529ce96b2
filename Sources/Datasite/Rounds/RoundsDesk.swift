import DatasiteProtocol
import Foundation

/// Where a site's part in a run works: what it has of the world, its folder, and whether it is still wanted.
struct RoundsDesk {
    let outside: Outside
    let workspace: Workspace
    let track: StepTrack

    /// More frames than are sent between two times that a state is stored.
    static let leap: UInt64 = 1_000_000_000

    /// - Returns: Whether to go on.
    func sleep(seconds: Double) -> Bool {
        let (start, whole) = (outside.pace.now, Duration.seconds(min(max(seconds, 0), 3_600)))
        var slept = Duration.zero
        while slept < whole {
            guard track.goesOn else { return false }
            slept = min(whole, slept + .milliseconds(500))
            outside.pace.sleep(until: start + slept)
        }
        return true
    }

    /// Whether an exchange that failed was answered all the same, by somebody who has no room or no disk at present: that is no silence.
    static func isAnswered(_ error: any Error) -> Bool { (error as? Problem)?.status == 503 }

    /// Stores a file durably.
    ///
    /// - Returns: Whether to go on.
    func save(_ bytes: [UInt8], to file: TrainingFolder.File, in folder: Workspace) -> Bool {
        persist { folder.save(bytes, to: file) }
    }

    /// Says in the journal, durably, that rows are read for a round; behind a crash before it was computed it is begun again, and said again.
    ///
    /// - Returns: Whether to go on.
    func enter(_ round: String) -> Bool { persist { outside.enters(round) } }

    /// A disk that is full may have room again before others take this site for gone.
    private func persist(_ store: () -> Bool) -> Bool {
        for _ in 0..<60 {
            if store() { return true }
            guard sleep(seconds: 5) else { return false }
        }
        return store()
    }
}
