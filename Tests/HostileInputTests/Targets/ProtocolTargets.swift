import Crypto
import Federation
import Foundation
import MultipartyComputation

/// Frames of rounds, both ways: of bytes that nobody signed none is taken.
enum FrameTarget {
    static func violations(_ input: [UInt8]) -> [String] {
        var found: [String] = []
        let frame = Data(input)
        do throws(FrameError) {
            let signed = try SignedMessage(reading: frame)
            if signed.bytes != frame { found.append("a frame is not written as it was read") }
            _ = try signed.verified(roster: RoundFixture.roster)
            found.append("a frame that nobody signed is taken")
        } catch {
            if error.description.isEmpty { found.append("an error of no use") }
        }
        guard let key = RoundFixture.identities.first,
            let message = try? SignedMessage(.fetch, run: RoundFixture.run, sender: 0, number: 1, key: key)
        else { return ["the fixture is refused"] }
        if (try? SignedReply.verified(frame, to: message, coordinator: key.publicKey.rawRepresentation)) != nil {
            found.append("a reply that nobody signed is taken")
        }
        return found + deviceViolations(frame, key) + TallyTarget.violations(frame)
    }

    private static func deviceViolations(_ frame: Data, _ key: Curve25519.Signing.PrivateKey) -> [String] {
        var found: [String] = []
        do throws(FrameError) {
            let signed = try SignedDeviceMessage(reading: frame)
            if signed.bytes != frame { found.append("a device's frame is not written as it was read") }
            _ = try signed.verified(enroller: nil)
            found.append("a device's frame that nobody signed is taken")
        } catch {
            if error.description.isEmpty { found.append("an error of no use") }
        }
        // What stands in a frame reaches the coordinator once a device signed it, whatever it is.
        if let message = try? JSONDecoder().decode(DeviceMessage.self, from: frame), var coordinator = devices,
            let device = DeviceKey(key.publicKey.rawRepresentation)
        {
            let before = coordinator.model
            _ = coordinator.answer(message, from: device, at: 1)
            if coordinator.model != before { found.append("one message of a stranger changes the model") }
        }
        guard
            let sent = try? SignedDeviceMessage(
                .decline(ticket: try ticket), run: RoundFixture.run, number: 1, key: key)
        else { return found + ["the device's fixture is refused"] }
        if (try? SignedDeviceReply.verified(frame, to: sent, coordinator: key.publicKey.rawRepresentation)) != nil {
            found.append("a reply to a device that nobody signed is taken")
        }
        return found
    }

    private static let devices: DeviceCoordinator? = (try? UpdateGrid(range: 1)).flatMap { grid in
        try? DeviceCoordinator(
            plan: DevicePlan(
                name: "fuzzed", strategy: .fedAvg, aggregation: .plain, parameterCount: 4, grid: grid,
                work: Data(count: 32), cycles: 2, leastWorkers: 2, mostWorkers: 4, leastReports: 2, mostReports: 2,
                cycleSeconds: 10, admissionSeconds: 5), run: RoundFixture.run, secret: Data(count: 32),
            weights: [0, 0, 0, 0])
    }

    private static var ticket: DeviceTicket {
        get throws {
            try JSONDecoder().decode(DeviceTicket.self, from: Data("\"\(Data(count: 32).base64EncodedString())\"".utf8))
        }
    }
}

/// What a client, another aggregator and a disk give an aggregator of Prio3: of bytes that no client made none is proved valid.
enum ReportTarget {
    static func violations(_ input: [UInt8]) -> [String] {
        var found: [String] = []
        let context = Array("fuzzed".utf8)
        guard let prio3 = try? Prio3Histogram(length: 4, context: context), let made = try? prio3.shard(2) else {
            return ["the fixture is refused"]
        }
        let key = VerifyKey()
        // One party's bytes in the place of each of the messages that it sends.
        for place in 0..<3 {
            var (shares, publicShare) = (made.inputShares, made.publicShare)
            if place < 2 { shares[place] = input } else { publicShare = input }
            guard shares != made.inputShares || publicShare != made.publicShare else { continue }
            let steps = (0..<2).compactMap { aggregator in
                try? prio3.verifyInit(
                    key, aggregator: aggregator, nonce: made.nonce, publicShare: publicShare,
                    inputShare: shares[aggregator])
            }
            guard steps.count == 2, let message = try? prio3.verifierSharesToMessage(steps.map(\.verifierShare)),
                steps.allSatisfy({ (try? prio3.verifyNext($0.state, message)) != nil })
            else { continue }
            found.append("a report that no client made is proved valid")
        }
        _ = try? prio3.verifierSharesToMessage([input, input])
        if let sum = try? prio3.unshard([input, input], count: 10), sum.contains(where: { !(0...10).contains($0) }) {
            found.append("a sum that so many measurements cannot give")
        }
        if let batch = try? JSONDecoder().decode(ReportBatch.self, from: Data(input)),
            (try? JSONEncoder().encode(batch)) == nil
        {
            found.append("a batch that is read is not written")
        }
        return found
    }
}

/// Lists of points that the other party of an intersection sends: taken, or refused in words.
enum PointsTarget {
    static func violations(_ input: [UInt8]) -> [String] {
        var found: [String] = []
        guard
            let session = try? IntersectionSession(
                identifier: Data(repeating: 7, count: 16), first: .init(name: "first", capacity: 4),
                second: .init(name: "second", capacity: 4), output: .identifiers, recipients: .both),
            var allowance = try? IntersectionAllowance(peer: "second", sessions: 1, guesses: 4),
            var party = try? IntersectionParty(
                session: session, role: .first, identifiers: [Data("a".utf8), Data("b".utf8)], allowance: &allowance)
        else { return ["the fixture is refused"] }
        // As JSON, or as the points of a list that is else right.
        let blinded = [try? JSONDecoder().decode(BlindedList.self, from: Data(input)), list(input, session)]
        for list in blinded.compactMap(\.self) {
            do throws(IntersectionError) { _ = try party.evaluate(list) } catch {
                if error.description.isEmpty || error.description.utf8.count > 2_000 {
                    found.append("an error of no use")
                }
            }
        }
        if let reply = try? JSONDecoder().decode(EvaluatedList.self, from: Data(input)),
            (try? party.conclude(reply)) != nil
        {
            found.append("a reply to nothing is taken")
        }
        return found
    }

    private static func list(_ input: [UInt8], _ session: IntersectionSession) -> BlindedList? {
        let text =
            #"{"session": "\#(session.digest.base64EncodedString())", "sender": "second", "points": "\#(Data(input.prefix(128)).base64EncodedString())"}"#
        return try? JSONDecoder().decode(BlindedList.self, from: Data(text.utf8))
    }
}
