import Foundation
import Testing

/// A coordinator and devices, as processes, by the command line.
@Suite("Devices by the command line", .timeLimit(.minutes(20)))
struct DevicesCommandTests {
    private let plan = """
        version: 1
        name: illness
        data:
          format: csv
          train: {file: train.csv}
          columns: [{name: age, bounds: [0, 100]}]
          label: {column: ill, domain: [no, yes]}
          test: {file: test.csv}
        model: {name: logistic-regression}
        loss: cross-entropy
        optimizer: {kind: sgd, rate: 1}
        batch: 20
        metrics: [accuracy]
        devices: {cycles: 2, spare-cycles: 8, local-steps: 5, range: 8, reports: [2, 2], workers: [2, 4], over-selection: 1, cycle-seconds: 20, retry-seconds: [0.1, 1], requirements: {battery: 0.5}}
        """

    @Test("Enrolled devices train over HTTP; the coordinator is killed in the middle, and goes on")
    func whole() throws {
        let place = try Workplace()
        let port = SeveralSites.freePort()
        try place.write(plan, to: "plan.yaml")
        for name in ["host", "one", "two"] {
            try FileManager.default.createDirectory(atPath: place.path(name), withIntermediateDirectories: true)
            let rows = "age,ill\n" + (0..<40).map { "\($0 * 2),\($0 > 20 ? "yes" : "no")\n" }.joined()
            for file in ["train.csv", "test.csv"] { try place.write(rows, to: "\(name)/\(file)") }
        }
        let enroller = try place.parley("devices", "enrol", "--key", "enroller.key").output
            .trimmingCharacters(in: .whitespacesAndNewlines)
        #expect(enroller.count == 44)
        let serve = [
            "devices", "serve", "plan.yaml", "--data", "host", "--run", "run", "--port", "\(port)", "--enroller",
            enroller,
        ]
        let first = try place.start(serve)
        func join(_ name: String, _ more: String...) -> [String] {
            ["devices", "join", "http://127.0.0.1:\(port)", "--data", name, "--state", "state-\(name)", "--yes"] + more
        }
        var key = ""
        while key.count != 44 {
            try #require(first.isRunning)
            key = try place.run([Workplace.executable] + join("one", "--show-key")).output
                .trimmingCharacters(in: .whitespacesAndNewlines)
        }
        // A coordinator's plan is followed by nobody who was not asked.
        let unasked = try place.run([Workplace.executable] + join("one").filter { $0 != "--yes" })
        #expect(
            unasked.status != 0 && unasked.errors.contains("The coordinator sees each update")
                && unasked.errors.contains("nobody is there to be asked"), "\(unasked.all)")
        let strange = try place.run([Workplace.executable] + join("one"))
        #expect(
            strange.status != 0 && strange.errors.contains("not signed by a device that was enrolled"), "\(strange.all)"
        )
        let empty = try place.run([Workplace.executable] + join("one", "--battery", "0.1"))
        #expect(empty.status != 0 && empty.errors.contains("may not take part as it is"), "\(empty.all)")
        let certificates = try ["one", "two"].map { name in
            let key = try place.run([Workplace.executable] + join(name, "--show-key")).output
                .trimmingCharacters(in: .whitespacesAndNewlines)
            return try place.parley("devices", "enrol", "--key", "enroller.key", key).output
                .trimmingCharacters(in: .whitespacesAndNewlines)
        }
        let one = try place.start(join("one", "--certificate", certificates[0]))
        usleep(500_000)
        kill(first.processIdentifier, SIGKILL)
        first.waitUntilExit()
        let second = try place.start(serve)
        let two = try place.start(join("two", "--certificate", certificates[1]))
        second.waitUntilExit()
        #expect(second.terminationStatus == 0)
        for device in [one, two] {
            device.waitUntilExit()
            #expect(device.terminationStatus == 0)
        }
        #expect(FileManager.default.fileExists(atPath: place.path("run/weights.safetensors")))
        let other = try place.run([Workplace.executable] + serve.dropLast(2))
        #expect(other.status != 0 && other.errors.contains("of another enroller"), "\(other.all)")
    }
}
