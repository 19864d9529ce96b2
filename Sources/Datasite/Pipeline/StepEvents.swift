import GRDB
import Synchronization
import Tables

extension Datasite {
    /// Tells the steps of a run, each at the end of its own slot; returns before the answer leaves.
    ///
    /// - Parameter whole: The answer's slot.
    func tell(_ track: StepTrack, of id: String, _ whole: TimeSlot, since start: Duration) async {
        let slots = slots(track.steps, of: whole)
        let process = try? lifeline()
        var multiple = 1
        var last = start
        for await ended in track.ended where ended.step < slots.count {
            let slot = slots[ended.step - 1]
            multiple = max(multiple, slot.count(ended.at - start))
            let time = start + slot.length * multiple
            // No sooner than then the answer leaves of a run that had not ended.
            let answer = whole.departure(start: start, end: ended.at)
            guard time - last >= StepTrack.leastPause, answer - time >= StepTrack.leastPause else { continue }
            await clock.sleepUntil(time)
            if Task.isCancelled { return }
            last = time
            // What cannot be stored is not told: the answer still is.
            try? await commit.perform {
                try RequestEventRow.appendStep(ended.step, to: id, steps: track.steps, process: process, in: $0)
            }
        }
    }

    /// Tells the steps of a run whose messages others see: when they are done.
    func tell(_ track: StepTrack, of id: String) async {
        let process = try? lifeline()
        for await ended in track.ended where ended.step < track.steps.count {
            try? await commit.perform {
                try RequestEventRow.appendStep(ended.step, to: id, steps: track.steps, process: process, in: $0)
            }
        }
    }

    /// For each step, the slot of the work up to its end: as large a part of the answer's as that work's bound is of the whole.
    private func slots(_ steps: [WorkStep], of whole: TimeSlot) -> [TimeSlot] {
        let times = steps.map { limits.speeds.time($0.work) }
        let all = max(times.reduce(0, +), .leastNormalMagnitude)
        var done = 0.0
        return times.map { time in
            done += time
            return whole.part(done / all, least: StepTrack.leastPause)
        }
    }

    /// The name of this process among those that compute requests: others see by its lock whether it still lives.
    func lifeline() throws -> String {
        try life.withLock { life in
            if let life { return life.version }
            let lock = try VersionLock(folder: folder)
            life = lock
            return lock.version
        }
    }

    /// Whether the process of that name lives.
    func isAlive(_ process: String?) -> Bool {
        guard let process else { return false }
        var isAlive = true
        VersionLock.unlessHeld(folder.directory(ofVersion: process) + ".lock") { isAlive = false }
        return isAlive
    }

    /// Says that a charged request is computed from now on.
    func announce(_ id: String, _ planned: PlannedWork) async throws {
        let process = try await planners.run { try self.lifeline() }
        try await commit.perform {
            try RequestEventRow.appendStep(0, to: id, steps: planned.work.steps, process: process, in: $0)
        }
    }
}
