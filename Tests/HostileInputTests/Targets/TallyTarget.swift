import Crypto
import Federation
import Foundation

/// Frames of a tally, of all its parties: of bytes that nobody signed none is taken.
enum TallyTarget {
    static func violations(_ frame: Data) -> [String] {
        guard let parties = Self.parties, var device = try? TallyDevice(plan: parties.task.plan, key: .init()),
            let report = try? device.report(.number(2)), let leader = try? TallyLeaderState(parties.task)
        else { return ["the tally's fixture is refused"] }
        var found: [String] = []
        func refused(_ what: String, _ read: () throws(FrameError) -> Void) {
            do throws(FrameError) {
                try read()
                found.append("\(what) that nobody signed is taken")
            } catch {
                if error.description.isEmpty { found.append("an error of no use") }
            }
        }
        refused("a device's report") { () throws(FrameError) in _ = try parties.leader.checked(frame) }
        refused("a leader's job") { () throws(FrameError) in _ = try parties.helper.job(frame) }
        refused("a helper's reply") { () throws(FrameError) in _ = try parties.leader.reply(frame, to: report) }
        refused("a leader's reply") { () throws(FrameError) in _ = try device.take(frame) }
        // Anybody may ask for the result; what is answered to nothing is that the batch is open.
        if (try? parties.leader.readQuestion(frame)) != nil, case .open = leader.reply(at: 0) {
        } else {
            _ = try? parties.collector.take(frame)
        }
        // What stands in a state file is read or refused.
        if let state = try? JSONDecoder().decode(TallyLeaderState.self, from: frame),
            (try? JSONEncoder().encode(state)) == nil
        {
            found.append("a leader's state that is read is not written")
        }
        _ = try? JSONDecoder().decode(TallyHelperState.self, from: frame)
        return found
    }

    private struct Parties {
        let task: TallyTask
        let leader: TallyAggregator
        let helper: TallyAggregator
        let collector: TallyCollector

        init() throws {
            let keys = (1...3).compactMap { TallyKey(Data(repeating: $0, count: 64)) }
            task = try TallyTask(
                TallyPlan(
                    name: "fuzzed", measure: .sum(maximum: 5), leastReports: 2, mostReports: 4, seconds: 10,
                    privacy: TallyPrivacy(.rho(1)), leader: .init(url: "", identity: keys[0].identity),
                    helper: .init(url: "", identity: keys[1].identity), collector: keys[2].identity))
            leader = try TallyAggregator(task, key: keys[0])
            helper = try TallyAggregator(task, key: keys[1])
            collector = try TallyCollector(task, key: keys[2])
        }
    }

    private static let parties = try? Parties()
}
