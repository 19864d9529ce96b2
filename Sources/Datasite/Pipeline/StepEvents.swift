import GRDB
import Query
import Synchronization
import Tables

extension Datasite {
    /// Tells the steps of a run, each at the end of its own slot; returns before the answer leaves.
    func tell(_ track: StepTrack, of id: String, _ bound: PlanBound, since start: Duration) async {
        let slots = slots(track.steps, bound)
        let process = try? lifeline()
        var multiple = 1
        var last = start
        for await ended in track.ended where ended.step < slots.count {
            let slot = slots[ended.step - 1]
            multiple = max(multiple, slot.count(ended.at - start))
            let time = start + slot.length * multiple
            // No sooner than then the answer leaves of a run that had not ended.
            let answer = slots[slots.count - 1].departure(start: start, end: ended.at)
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

    /// For each step, the slot of the work up to its end; of the last, the answer's own.
    private func slots(_ steps: [WorkStep], _ bound: PlanBound) -> [TimeSlot] {
        var work = Work()
        return steps.dropLast().map { step in
            work += step.work
            return slot(limits, PlanBound(work: work, memory: bound.memory))
        } + [slot(limits, bound)]
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
