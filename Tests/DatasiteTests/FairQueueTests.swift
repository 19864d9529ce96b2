import DatasiteProtocol
import Dispatch
import Testing

@testable import Datasite

@Suite("No user's work keeps another's from the threads that all wait for")
struct FairQueueTests {
    @Test("Users have turns, and one never takes all threads")
    func turns() {
        var queue = FairQueue<Int>(threads: 3)
        for job in 0..<200 { queue.add(job, of: "ada") }
        queue.add(1_000, of: "bob")
        queue.add(2_000, of: nil)
        func next() -> Int? { queue.next()?.job }
        // Two of three threads are hers at most, whoever else waits.
        #expect([next(), next(), next(), next()] == [0, 1_000, 2_000, 1])
        #expect(next() == nil && !queue.isReady && queue.count == 198)
        queue.add(3_000, of: "bob")
        #expect(queue.isReady && next() == 3_000)
        queue.end(of: "ada")
        #expect(queue.isReady && next() == 2)
        // In the order of arrival, to the last.
        var jobs: [Int] = []
        while queue.count > 0 {
            queue.end(of: "ada")
            if let job = next() { jobs.append(job) }
        }
        #expect(jobs == Array(3..<200))
        var alone = FairQueue<Int>(threads: 1)
        for job in 0..<3 { alone.add(job, of: "ada") }
        alone.add(9, of: "bob")
        #expect(alone.next()?.job == 0 && alone.next()?.job == 9)
        alone.end(of: "ada")
        #expect(alone.next()?.job == 1)
    }

    @Test(
        "While one user's jobs hold a thread another's is run, and what waited runs when it may",
        .timeLimit(.minutes(20)))
    func threads() async throws {
        let threads = EngineThreads(threads: 2, queueLimit: 8)
        let gate = DispatchSemaphore(value: 0)
        try await withThrowingTaskGroup(of: Int.self) { group in
            for job in 0..<4 {
                group.addTask {
                    try await threads.run(for: "ada") {
                        gate.wait()
                        return job
                    }
                }
            }
            for _ in 0..<20 {
                let seven = try await threads.run(for: "bob") { 7 }
                #expect(seven == 7)
            }
            for _ in 0..<4 { gate.signal() }
            let sum = try await group.reduce(0, +)
            #expect(sum == 6)
        }
    }
}
