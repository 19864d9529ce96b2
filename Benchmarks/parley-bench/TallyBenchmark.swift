import Crypto
import DatasiteClient
import Federation
import Foundation

/// A leader and a helper as they are run, two processes of `parley devices tally serve` on this machine, with reports of a histogram of 256 buckets: from the first report that is sent to the sum that is collected.
struct TallyBenchmark {
    let workplace: Workplace
    private static let (reports, senders) = (2_000, 32)

    func run() async throws {
        let program = URL(filePath: CommandLine.arguments[0]).deletingLastPathComponent().appending(path: "parley").path
        guard FileManager.default.isExecutableFile(atPath: program) else {
            reportSkipped("tally", "there is no parley beside parley-bench: swift build --product parley")
            return
        }
        let keys = (0..<3).map { _ in TallyKey() }
        let ports = [18_911, 18_912]
        let bounds = (1..<256).map(Double.init)
        let plan = TallyPlan(
            name: "measured", measure: .histogram(buckets: .bounds(bounds)), leastReports: 2, mostReports: Self.reports,
            seconds: 1e6, privacy: TallyPrivacy(.rho(0.05)),
            leader: .init(url: "http://127.0.0.1:\(ports[0])", identity: keys[0].identity),
            helper: .init(url: "http://127.0.0.1:\(ports[1])", identity: keys[1].identity),
            collector: keys[2].identity)
        for (name, key) in zip(["leader", "helper"], keys) {
            try Data((key.bytes.base64EncodedString() + "\n").utf8).write(
                to: URL(filePath: workplace.path("\(name).key")))
        }
        try """
        version: 1
        name: measured
        measure: {bounds: [\(bounds.map { "\(Int($0))" }.joined(separator: ", "))]}
        reports: [2, \(Self.reports)]
        open-seconds: 1000000
        privacy: {rho: 0.05}
        leader: {url: "\(plan.leader.url)", key: \(keys[0].identity.text)}
        helper: {url: "\(plan.helper.url)", key: \(keys[1].identity.text)}
        collector: \(keys[2].identity.text)
        """.write(toFile: workplace.path("tally.yaml"), atomically: true, encoding: .utf8)
        let servers = try ["leader", "helper"].enumerated().map { place, name in
            try serve(program, name, port: ports[place])
        }
        defer { for server in servers { server.terminate() } }
        try await measure(plan, keys[2])
    }

    private func serve(_ program: String, _ name: String, port: Int) throws -> Process {
        let process = Process()
        process.executableURL = URL(filePath: program)
        process.arguments = [
            "devices", "tally", "serve", workplace.path("tally.yaml"), "--key", workplace.path("\(name).key"), "--run",
            workplace.path(name), "--port", "\(port)",
        ]
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        try process.run()
        return process
    }

    private func measure(_ plan: TallyPlan, _ key: TallyKey) async throws {
        let cpu = processorSeconds()
        let frames = try (0..<Self.reports).map { number in
            var device = try TallyDevice(plan: plan, key: Curve25519.Signing.PrivateKey())
            return Array(try device.report(.number(Double(number % 256))))
        }
        let client = (processorSeconds() - cpu) / Double(Self.reports)
        let leader = try DevicesClient(url: plan.leader.url)
        let collector = try TallyCollector(TallyTask(plan), key: key)
        let question = Array(try collector.question())
        // Both listen once the leader answers; the helper began beside it.
        while (try? await leader.exchange(question, largest: collector.largestReply)) == nil {
            try await Task.sleep(for: .milliseconds(50))
        }
        let start = wallSeconds()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for sender in 0..<Self.senders {
                group.addTask {
                    for place in stride(from: sender, to: frames.count, by: Self.senders) {
                        _ = try await leader.exchange(frames[place], largest: TallyDevice.largestReply)
                    }
                }
            }
            try await group.waitForAll()
        }
        let taken = wallSeconds()
        while true {
            let reply = try await leader.exchange(question, largest: collector.largestReply)
            guard case .result(let result) = try collector.take(Data(reply)) else {
                try await Task.sleep(for: .milliseconds(20))
                continue
            }
            guard result.reports == Self.reports else { throw BenchmarkError(reason: "reports are missing") }
            break
        }
        let end = wallSeconds()
        report(
            "tally_histogram_256",
            [
                ("reports_per_s", Double(Self.reports) / (end - start)),
                ("taken_per_s", Double(Self.reports) / (taken - start)), ("client_us", client * 1e6),
                ("report_bytes", Double(frames[0].count)), ("reports", Double(Self.reports)),
                ("disk_sync_ms", try syncMilliseconds(workplace)),
            ])
        try await leader.close()
    }
}
