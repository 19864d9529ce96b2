import Foundation
import Secrets
import Testing

@testable import Federation

@Suite("Cycles among devices")
struct DeviceCoordinatorTests {
    @Test("Reports of a cycle become one step: their mean, as computed by hand")
    func steps() throws {
        let plan = try DeviceRuns.plan(cycles: 1)
        var coordinator = try DeviceRuns.coordinator(plan)
        let step = try #require(plan.grid?.step)
        for device in 0..<4 {
            let ticket = try coordinator.admitted(device)
            let integers = [Int64](repeating: Int64(device) << 26, count: 4)
            #expect(coordinator.report(integers, ticket, from: device) == .thanks)
        }
        #expect(coordinator.phase == .closed)
        var random = SecureRandom()
        #expect(coordinator.step(using: &random) == true)
        #expect(coordinator.phase == .finished)
        #expect(coordinator.model.weights.allSatisfy { $0 == Float(1.5 * Double(1 << 26) * step) })
        let over = DeviceReply.over(round: 1, model: coordinator.model.digest)
        #expect(coordinator.answer(.checkIn(conditions: DeviceRuns.conditions), from: DeviceRuns.key(9), at: 1) == over)
        #expect(coordinator.outcomes.map(\.end) == [.stepped] && coordinator.outcomes.map(\.counted) == [4])
    }

    @Test(
        "First come, first served, within the places; a place that is given back is given again, up to the most devices"
    )
    func places() throws {
        let plan = try DeviceRuns.plan(workers: 2...7, reports: 2...4)
        #expect(plan.places == 6)
        var coordinator = try DeviceRuns.coordinator(plan)
        var tickets: [DeviceTicket] = []
        for device in 0..<6 { tickets.append(try coordinator.admitted(device)) }
        func turnedAway(_ device: Int) -> DeviceRefusal? {
            coordinator.answer(.checkIn(conditions: DeviceRuns.conditions), from: DeviceRuns.key(device), at: 1).refusal
        }
        #expect(turnedAway(6) == .full)
        #expect(coordinator.answer(.decline(ticket: tickets[2]), from: DeviceRuns.key(2), at: 1).refusal == .spent)
        // Whoever gave a place back rests like others; asking again gives the same.
        #expect(turnedAway(2) == .resting)
        #expect(coordinator.answer(.decline(ticket: tickets[2]), from: DeviceRuns.key(2), at: 1).refusal == .spent)
        #expect(coordinator.admit(6, at: 1) != nil)
        #expect(coordinator.answer(.decline(ticket: tickets[3]), from: DeviceRuns.key(3), at: 1).refusal == .spent)
        #expect(turnedAway(7) == .full)
        #expect(coordinator.cycle.admitted == 7 && coordinator.cycle.open == 5)
    }

    @Test("Who has reported keeps its place: no more are admitted than reports are missing, times the factor")
    func reported() throws {
        var coordinator = try DeviceRuns.coordinator(DeviceRuns.plan())
        for device in 0..<6 {
            let ticket = try coordinator.admitted(device)
            if device < 3 { #expect(coordinator.report([0, 0, 0, 0], ticket, from: device) == .thanks) }
        }
        #expect(coordinator.cycle.open == 3 && coordinator.cycle.counted == 3)
        #expect(coordinator.admit(6) == nil && coordinator.cycle.admitted == 6)
    }

    @Test("What was said before is said again: tickets, models and thanks follow from the state")
    func repetitions() throws {
        var coordinator = try DeviceRuns.coordinator(DeviceRuns.plan())
        let ticket = try coordinator.admitted(1)
        let revision = coordinator.revision
        #expect(coordinator.admit(1) == ticket && coordinator.revision == revision)
        let key = DeviceRuns.key(1)
        let model = coordinator.model
        #expect(coordinator.answer(.resume(ticket: ticket, holds: nil), from: key, at: 0) == .model(model: model))
        guard
            case .accepted(ticket, let header, let seconds) =
                coordinator.answer(.resume(ticket: ticket, holds: model.digest), from: key, at: 30)
        else {
            Issue.record("a device that holds the model goes on with its ticket")
            return
        }
        #expect(header.model == model.digest && header.attempt == 0 && seconds == 70)
        var again = try DeviceRuns.stored(coordinator)
        for _ in 0..<2 {
            #expect(coordinator.report([1, 2, 3, 4], ticket, from: 1, at: 31) == .thanks)
            #expect(again.report([1, 2, 3, 4], ticket, from: 1, at: 31) == .thanks)
        }
        #expect(coordinator.cycle.counted == 1 && coordinator.cycle.sum.values == [1, 2, 3, 4])
        #expect(coordinator.counts.refusals[.repeated] == 1)
        #expect(again.cycle.sum == coordinator.cycle.sum && again.admit(1) == nil)
    }

    @Test("Replayed, late, foreign and misshapen reports do not count, and their senders are told why")
    func liars() throws {
        let plan = try DeviceRuns.plan(cycles: 2, rest: 0)
        var coordinator = try DeviceRuns.coordinator(plan)
        let tickets = try (0..<6).map { try coordinator.admitted($0) }
        let largest = Int64(1 << 30)
        let good = [Int64](repeating: 5, count: 4)
        #expect(Set(tickets).count == 6)
        // Of another device, of nobody, of a device that was never here.
        #expect(coordinator.report(good, tickets[1], from: 0).refusal == .ticket)
        #expect(coordinator.report(good, DeviceTicket([UInt8](repeating: 0, count: 32)), from: 0).refusal == .ticket)
        #expect(coordinator.report(good, tickets[1], from: 77).refusal == .ticket)
        #expect(coordinator.answer(.decline(ticket: tickets[1]), from: DeviceRuns.key(2), at: 0).refusal == .ticket)
        #expect(coordinator.cycle.open == 6)
        // Of a wrong length, and out of range: no second try.
        let huge = [Int64](repeating: 0, count: 1_000_000)
        for (device, (report, reason)) in [
            (huge, DeviceRefusal.length), ([], .length), ([0, 0, 0, largest + 1], .range), ([.min, 0, 0, 0], .range),
        ].enumerated() {
            #expect(coordinator.report(report, tickets[device], from: device).refusal == reason)
            #expect(coordinator.report(good, tickets[device], from: device).refusal == .spent)
        }
        #expect(coordinator.cycle.counted == 0 && coordinator.cycle.sum.values.allSatisfy { $0 == 0 })
        // The largest and the least entry count.
        #expect(coordinator.report([largest, -largest, 0, 0], tickets[4], from: 4) == .thanks)
        let late = tickets[5]
        let other = try coordinator.admitted(6)
        #expect(coordinator.report(good, other, from: 6) == .thanks)
        coordinator.tick(at: 100)
        #expect(coordinator.phase == .closed && coordinator.report(good, late, from: 5, at: 100).refusal == .late)
        var random = SecureRandom()
        coordinator.step(using: &random)
        // In the next cycle the old tickets are remembered, and good for nothing but thanks.
        #expect(coordinator.report(good, late, from: 5, at: 101).refusal == .late)
        #expect(coordinator.report(good, tickets[4], from: 4, at: 101) == .thanks)
        let fresh = try coordinator.admitted(4, at: 101)
        #expect(fresh != tickets[4] && coordinator.report(good, tickets[4], from: 4, at: 101).refusal == .ticket)
        #expect(coordinator.cycle.counted == 0)
        #expect(coordinator.counts.refusals[.length] == 2 && coordinator.counts.refusals[.range] == 2)
    }

    @Test("A cycle of too few devices or reports is void at its deadline, its sum is gone, and spare cycles run out")
    func void() throws {
        let plan = try DeviceRuns.plan(cycles: 1, spare: 1, workers: 3...8, reports: 2...4)
        var coordinator = try DeviceRuns.coordinator(plan)
        for device in 0..<2 {
            let ticket = try coordinator.admitted(device)
            #expect(coordinator.report([1, 1, 1, 1], ticket, from: device) == .thanks)
        }
        coordinator.tick(at: 99)
        #expect(coordinator.attempt == 0)
        coordinator.tick(at: 100)
        #expect(coordinator.attempt == 1 && coordinator.outcomes.map(\.end) == [.tooFewDevices])
        #expect(coordinator.cycle.sum.values == [0, 0, 0, 0] && coordinator.model.round == 0)
        // Nobody came: its time does not run.
        coordinator.tick(at: 1e6)
        #expect(coordinator.attempt == 1 && coordinator.phase == .collecting)
        let tickets = try (0..<3).map { try coordinator.admitted($0, at: 1e6) }
        #expect(coordinator.report([1, 1, 1, 1], tickets[0], from: 0, at: 1e6) == .thanks)
        coordinator.tick(at: 1e6 + 100)
        #expect(coordinator.phase == .aborted && coordinator.outcomes.map(\.end) == [.tooFewDevices, .tooFewReports])
        #expect(coordinator.model.weights.allSatisfy { $0 == 0 })
    }

    @Test("A cycle ends at its maximum or its deadline alone, and admits nobody behind its admission")
    func ends() throws {
        var coordinator = try DeviceRuns.coordinator(DeviceRuns.plan())
        let tickets = try (0..<3).map { try coordinator.admitted($0, at: 10) }
        for device in 0..<3 {
            #expect(coordinator.report([0, 0, 0, 0], tickets[device], from: device, at: 11) == .thanks)
        }
        #expect(coordinator.phase == .collecting && coordinator.cycle.open == 0)
        let late = coordinator.answer(.checkIn(conditions: DeviceRuns.conditions), from: DeviceRuns.key(9), at: 60)
        #expect(late.refusal == .closed)
        coordinator.tick(at: 109.9)
        #expect(coordinator.phase == .collecting)
        coordinator.tick(at: 110)
        #expect(coordinator.phase == .closed)
        #expect(coordinator.admit(9, at: 111) == nil)
    }

    @Test("A device rests as many cycles as the plan says, void ones counted, and is then forgotten", arguments: 0..<4)
    func rest(rest: Int) throws {
        var coordinator = try DeviceRuns.coordinator(DeviceRuns.plan(cycles: 1, spare: 20, rest: rest))
        #expect(coordinator.admit(0, at: 0) != nil)
        var now = 0.0
        for cycle in 1...10 {
            now += 100
            coordinator.tick(at: now)
            #expect(coordinator.attempt == cycle)
            // Somebody asks, so that time runs.
            let reply = coordinator.answer(
                .checkIn(conditions: DeviceRuns.conditions), from: DeviceRuns.key(cycle % (rest + 1)), at: now)
            if cycle % (rest + 1) == 0 {
                #expect(reply.refusal == nil)
            }
            if cycle <= rest { #expect(coordinator.admit(0, at: now) == nil) }
            #expect(coordinator.table.count <= (max(rest, 1) + 1) * 8)
        }
    }

    @Test("Who is told to come again comes at a time of its own, within the plan's bounds, the same when asked again")
    func retries() throws {
        let plan = try DeviceRuns.plan()
        var coordinator = try DeviceRuns.coordinator(plan)
        for device in 0..<6 { #expect(coordinator.admit(device) != nil) }
        var seconds: [Double] = []
        for device in 100..<1_100 {
            let reply = coordinator.answer(
                .checkIn(conditions: DeviceRuns.conditions), from: DeviceRuns.key(device), at: 1)
            seconds.append(try #require(reply.seconds))
        }
        #expect(seconds.allSatisfy { (5...1_000).contains($0) } && Set(seconds).count == 1_000)
        // A thousand devices for six places: the last of them would come later than the plan allows.
        let latest = seconds.suffix(500).sorted()
        #expect(latest[0] >= 500 && latest[0] < 520 && latest[250] > 700 && latest[250] < 800 && latest[499] > 980)
        let one = coordinator.answer(
            .checkIn(conditions: .init(DeviceRuns.conditions, battery: 0)), from: DeviceRuns.key(7_000), at: 1)
        #expect(one.refusal == .battery)
        #expect(try #require(one.seconds) < 10.1)
    }

    @Test("A time that goes back, or is no time, changes nothing")
    func time() throws {
        var coordinator = try DeviceRuns.coordinator(DeviceRuns.plan())
        _ = coordinator.admit(0, at: 50)
        for time in [-1e9, 0, .nan, .infinity, -.infinity] {
            coordinator.tick(at: time)
            #expect(coordinator.attempt == 0 && coordinator.deadline == 150)
        }
        // By another clock it has the time that it had.
        coordinator.tick(at: 70)
        for time in [Double.nan, .infinity] { coordinator.resume(at: time) }
        #expect(coordinator.deadline == 150)
        coordinator.resume(at: 5)
        #expect(coordinator.deadline == 85)
        #expect(coordinator.admit(1, at: 6) != nil)
    }

    @Test("Messages that changed the revision lead to the same coordinator again; all others may be lost")
    func replay() throws {
        let plan = try DeviceRuns.plan(strategy: .fedAvgM(rate: 1, momentum: 0.5), cycles: 4, spare: 6, rest: 1)
        var coordinator = try DeviceRuns.coordinator(plan)
        var log: [(message: DeviceMessage, device: Int, time: Double)] = []
        var random = SecureRandom()
        var draws = SeededGenerator(seed: 5)
        var tickets: [Int: DeviceTicket] = [:]
        var (now, ignored) = (0.0, 0)
        while !coordinator.isOver {
            now += Double(draws.next() % 16)
            let device = Int(draws.next() % 24)
            let integers = Packed((0..<4).map { _ in Int64(draws.next() % 1_000) })
            var message = DeviceMessage.checkIn(conditions: DeviceRuns.conditions)
            if let ticket = tickets[device] {
                message = draws.next() % 4 == 0 ? .decline(ticket: ticket) : .report(ticket: ticket, integers: integers)
            }
            let revision = coordinator.revision
            if case .accepted(let ticket, _, _) = coordinator.answer(message, from: DeviceRuns.key(device), at: now) {
                tickets[device] = ticket
            } else {
                tickets[device] = nil
            }
            if coordinator.revision != revision { log.append((message, device, now)) } else { ignored += 1 }
            coordinator.step(using: &random)
        }
        var again = try DeviceRuns.coordinator(plan)
        for (message, device, time) in log {
            _ = again.answer(message, from: DeviceRuns.key(device), at: time)
            again.step(using: &random)
        }
        #expect(again.model == coordinator.model && again.outcomes == coordinator.outcomes && again.isOver)
        #expect(again.revision == coordinator.revision && ignored > 0 && coordinator.model.round > 0)
    }

    @Test("Messages of changed bytes are refused or answered, and count nothing that is not a report of the plan")
    func mutated() throws {
        var coordinator = try DeviceRuns.coordinator(DeviceRuns.plan())
        let ticket = try coordinator.admitted(0)
        let messages: [DeviceMessage] = [
            .checkIn(conditions: DeviceRuns.conditions), .resume(ticket: ticket, holds: coordinator.model.digest),
            .report(ticket: ticket, integers: Packed([1, 2, 3, 4])), .decline(ticket: ticket),
        ]
        var random = SeededGenerator(seed: 6)
        var decoded = 0
        for turn in 0..<20_000 {
            var bytes = try JSONEncoder().encode(messages[turn % 4])
            for _ in 0...random.next() % 3 {
                let place = Int(random.next() % UInt64(bytes.count))
                if random.next() % 4 == 0 {
                    bytes.remove(at: place)
                } else {
                    bytes[place] ^= UInt8(1 << (random.next() % 7))
                }
            }
            guard let message = try? JSONDecoder().decode(DeviceMessage.self, from: bytes) else { continue }
            decoded += 1
            // Each time the one that was admitted, and another one.
            var copy = coordinator
            for device in 0...1 { _ = copy.answer(message, from: DeviceRuns.key(device), at: 1) }
            #expect(copy.cycle.counted <= 1 && copy.cycle.open >= 0 && copy.cycle.admitted <= 2)
            #expect(copy.cycle.sum.values.allSatisfy { abs($0) <= 1 << 30 })
        }
        #expect(decoded > 100)
    }

    @Test("Bytes that are no key, ticket or table are refused, and no state shows what it holds")
    func hostile() throws {
        #expect(DeviceKey(Data(count: 31)) == nil && DeviceKey(Data(count: 33)) == nil)
        func decodes<Value: Decodable>(_ type: Value.Type, _ bytes: Data) -> Bool {
            (try? JSONDecoder().decode(type, from: JSONEncoder().encode(bytes))) != nil
        }
        #expect(decodes(DeviceTicket.self, Data(count: 32)) && !decodes(DeviceTicket.self, Data(count: 31)))
        #expect(decodes(DeviceKey.self, Data(count: 32)) && !decodes(DeviceKey.self, Data(count: 0)))
        #expect(decodes(DeviceTable.self, Data()) && decodes(DeviceTable.self, Data(count: 40)))
        #expect(!decodes(DeviceTable.self, Data(count: 39)) && !decodes(DeviceTable.self, Data(count: 80)))
        #expect(!decodes(DeviceTable.self, Data(count: 32) + Data([3, 0, 0, 0, 0, 0, 0, 0])))
        #expect(!decodes(DeviceTable.self, Data(count: 32) + Data(repeating: 0xff, count: 8)))
        for text in [#"{"checkIn":{}}"#, #"{"report":{"ticket":"AA==","integers":"AAAAAAAAAAA="}}"#, "[]", "null"] {
            #expect(throws: DecodingError.self) {
                try JSONDecoder().decode(DeviceMessage.self, from: Data(text.utf8))
            }
        }
        var coordinator = try DeviceRuns.coordinator(DeviceRuns.plan())
        let ticket = try coordinator.admitted(0)
        var shown = ""
        dump(coordinator, to: &shown)
        dump(ticket, to: &shown)
        #expect(!shown.contains("9") && "\(coordinator)" == "DeviceCoordinator(cycle 0, collecting)")
        let plan = try DeviceRuns.plan()
        for (run, secret, weights) in [
            (Data(count: 15), DeviceRuns.secret, [Float](repeating: 0, count: 4)),
            (DeviceRuns.run, Data(count: 31), [0, 0, 0, 0]), (DeviceRuns.run, DeviceRuns.secret, [0, 0, 0]),
            (DeviceRuns.run, DeviceRuns.secret, [0, 0, 0, .nan]),
        ] {
            #expect(throws: FederationError.self) {
                try DeviceCoordinator(plan: plan, run: run, secret: secret, weights: weights)
            }
        }
    }
}

extension DeviceConditions {
    fileprivate init(_ conditions: DeviceConditions, battery: Double) {
        self = conditions
        (self.battery, isCharging) = (battery, false)
    }
}
