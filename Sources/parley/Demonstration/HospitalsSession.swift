import Datasite
import DatasiteProtocol
import Foundation
import Learning

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// One run of the hospitals' demonstration. The owners act on their folders; servers and coordinator are processes.
final class HospitalsSession {
    private let folder: String
    private let files: HospitalFiles
    private let port: Int
    private var narration = Narration()
    private let processes: DemonstrationProcesses
    /// nil where no certificate could be made: plain HTTP stays on this machine.
    private var certificate: String?

    init(folder: String, archive: String, port: Int) throws {
        (self.folder, self.port) = (folder, port)
        files = HospitalFiles(folder: folder, archive: archive)
        processes = DemonstrationProcesses(folder: folder)
    }

    private var coordinator: String { "\(certificate == nil ? "http" : "https")://127.0.0.1:\(port)" }
    private func url(_ name: String) -> String {
        "http://127.0.0.1:\(port + 1 + (HospitalFiles.names.firstIndex(of: name) ?? 0))"
    }
    private func site(_ name: String) -> String { "\(folder)/\(name)" }

    func run() async throws {
        let started = ContinuousClock.now
        defer { processes.killAll() }
        narration.say(
            "Three hospitals train one model on chest X-rays that never leave them. Nobody, the coordinator included, sees a hospital's update."
        )
        try setUp()
        let masked = try await train(
            "Secure aggregation: sums alone are seen", plan: "masked.yaml", text: HospitalFiles.masked, expecting: 0.93)
        let noisy = try await train(
            "Secure aggregation with noise: each hospital adds its share", plan: "private.yaml",
            text: HospitalFiles.noisy,
            expecting: 0.90)
        try settle()
        let terminal = narration.terminal
        narration.heading("What came of it")
        var table = TextTable([
            .init(title: "run"), .init(title: "ROC AUC", alignsRight: true), .init(title: "rounds", alignsRight: true),
            .init(title: "void", alignsRight: true), .init(title: "epsilon", alignsRight: true),
        ])
        for run in [masked, noisy] {
            table.append([
                run.name, NumberText.fixed(run.area, decimals: 4), String(run.rounds), String(run.void),
                run.epsilon.map { NumberText.significant($0) } ?? "none is claimed",
            ])
        }
        terminal.write(table.render(on: terminal))
        let seconds = started.duration(to: .now) / .seconds(1)
        terminal.line("\nEvery step held, in \(NumberText.fixed(seconds, decimals: 0)) s.")
    }

    // MARK: owners

    private func setUp() throws {
        narration.heading("Three hospitals, each with its datasite")
        let rows = try files.divide()
        makeCertificate()
        var keys: [String: String] = [:]
        for name in HospitalFiles.names {
            narration.command("parley site init \(name)")
            try Datasite.create(at: site(name), name: name)
            keys[name] = try Datasite(path: site(name)).description.publicKey
        }
        narration.say(
            "Their owners tell each other their sites' keys (parley site key), and each writes into her policy with whom, and how, her images may be trained on:"
        )
        let all = HospitalFiles.names.compactMap { keys[$0] }
        for line in files.manifest("xrays", keys: all, coordinator: coordinator).split(separator: "\n").dropFirst(6)
            .prefix(13)
        {
            narration.terminal.line("  " + line)
        }
        for (place, name) in HospitalFiles.names.enumerated() {
            let site = try Datasite(path: site(name))
            defer { try? site.close() }
            for (dataset, division) in [("xrays", "even"), ("xrays-skewed", "skewed")] {
                let own = "\(folder)/\(name)-\(division)"
                narration.command(
                    "parley data add --site \(name) --manifest \(dataset).yaml --array image=\(name)-\(division)-images ..."
                )
                let arrays = [("image", "images"), ("pneumonia", "labels"), ("patient", "patients")]
                    .compactMap { ArrayFile("\($0.0)=\(own)-\($0.1)") }
                let report = try site.addDataset(
                    file: nil, arrays: arrays,
                    manifestText: files.manifest(dataset, keys: all, coordinator: coordinator))
                guard report.rows == (division == "even" ? rows.even : rows.skewed)[place] else {
                    throw Failure("\(name) did not take all of its images.")
                }
            }
            try PrivateFile.write(
                Array(try site.addUser("ruth", role: .researcher).utf8), to: "\(folder)/\(name).token")
        }
        narration.say(
            "Images: \(rows.even.map(String.init).joined(separator: ", ")) evenly, and \(rows.skewed.map(String.init).joined(separator: ", ")) with most of each label at one hospital; their owners alone see that."
        )
        for name in HospitalFiles.names { try serve(name) }
        for name in HospitalFiles.names {
            narration.command("parley login \(url(name)) --token-file \(name).token")
            try processes.call(["login", url(name), "--token-file", "\(folder)/\(name).token"])
        }
    }

    private func makeCertificate() {
        let path = "\(folder)/coordinator"
        let openssl = Process()
        openssl.executableURL = URL(filePath: "/usr/bin/env")
        openssl.arguments = [
            "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout",
            path + ".key", "-out", path + ".pem", "-days", "2", "-subj", "/CN=coordinator", "-addext",
            "subjectAltName=IP:127.0.0.1",
        ]
        (openssl.standardOutput, openssl.standardError) = (FileHandle.nullDevice, FileHandle.nullDevice)
        guard (try? openssl.run()) != nil else { return }
        openssl.waitUntilExit()
        guard openssl.terminationStatus == 0 else { return }
        chmod(path + ".key", 0o600)
        certificate = path + ".pem"
    }

    private func serve(_ name: String) throws {
        var arguments = ["serve", "--site", site(name), "--port", String(url(name).split(separator: ":").last ?? "")]
        if let certificate { arguments += ["--coordinator-ca", certificate] }
        try processes.serve(arguments, named: name, narrating: narration)
    }

    // MARK: a run

    private struct Run {
        var name: String
        var area: Double
        var (rounds, void): (Int, Int)
        var epsilon: Double?
    }

    private func train(_ title: String, plan: String, text: String, expecting least: Double) async throws -> Run {
        narration.heading(title)
        try SavedFile.write(Array(text.utf8), to: "\(folder)/\(plan)")
        try SavedFile.write(Array(files.measure().utf8), to: "\(folder)/measure.yaml")
        let name = try ReleasedModelFiles.name(ofPlan: text)
        var arguments = [
            "coordinate", "\(folder)/\(plan)", "--sites", HospitalFiles.names.map(url).joined(separator: ","), "--port",
            String(port), "--run", "\(folder)/\(name)", "--measure", "\(folder)/measure.yaml", "--data",
            URL(filePath: files.archive).deletingLastPathComponent().path, "--purpose", "triage",
        ]
        if let certificate {
            arguments += ["--tls-certificate", certificate, "--tls-key", "\(folder)/coordinator.key"]
        }
        narration.command("parley \(processes.shown(arguments))")
        let coordinating = try processes.start(arguments, log: nil)
        defer { kill(coordinating.processIdentifier, SIGKILL) }
        try await approve(coordinating)
        try await disturb(coordinating)
        coordinating.waitUntilExit()
        guard coordinating.terminationStatus == 0 else { throw Failure("The run did not come to its end.") }
        let last = try last(of: "\(folder)/\(name)/curves.jsonl")
        guard last.area >= least else {
            throw Failure("The model tells pneumonia with an AUC of \(last.area); \(least) was expected.")
        }
        guard last.attempts > last.round else { throw Failure("The silent hospital should have made a round void.") }
        return Run(
            name: name, area: last.area, rounds: last.round, void: last.attempts - last.round, epsilon: last.epsilon)
    }

    private struct Point: Decodable {
        var (round, attempts): (Int, Int)
        var epsilon: Double?
        var area: Double

        private enum CodingKeys: String, CodingKey { case round, attempts, epsilon, validation }

        init(from decoder: any Decoder) throws {
            let container = try decoder.container(keyedBy: CodingKeys.self)
            round = try container.decode(Int.self, forKey: .round)
            attempts = try container.decode(Int.self, forKey: .attempts)
            epsilon = try container.decodeIfPresent(Double.self, forKey: .epsilon)
            area = try container.decode([String: Double].self, forKey: .validation)["roc-auc"] ?? .nan
        }
    }

    private func last(of path: String) throws -> Point {
        let text = try String(contentsOfFile: path, encoding: .utf8)
        guard let line = text.split(separator: "\n").last else { throw Failure("\(path) is empty.") }
        return try JSONDecoder().decode(Point.self, from: Data(line.utf8))
    }

    /// Each owner sees the request, and approves.
    private func approve(_ coordinating: Process) async throws {
        for name in HospitalFiles.names {
            let site = try Datasite(path: site(name))
            defer { try? site.close() }
            var request: RequestSummary?
            let limit = ContinuousClock.now + .seconds(180)
            while request == nil {
                guard .now < limit, coordinating.isRunning else { throw Failure("\(name) was not asked.") }
                request = try site.requests(as: .localOwner, state: "pending").first
                try await Task.sleep(for: .milliseconds(100))
            }
            guard let request else { continue }
            narration.command("parley approve \(request.id) --site \(name)")
            _ = try await site.approve(request.id, by: .localOwner)
        }
    }

    /// One hospital is killed and started again, and one falls silent for longer than a phase waits.
    private func disturb(_ coordinating: Process) async throws {
        let (killed, silent) = ("river", "summit")
        try await reach(0.3, at: killed, coordinating)
        if let server = processes.servers[killed] {
            narration.say("Now \(killed)'s server is killed, and started again: it goes on from what it had stored.")
            kill(server.processIdentifier, SIGKILL)
            server.waitUntilExit()
            try serve(killed)
        }
        try await reach(0.6, at: silent, coordinating)
        if let server = processes.servers[silent] {
            narration.say("Now \(silent) falls silent. Its round is void, and a spare one takes its place.")
            kill(server.processIdentifier, SIGSTOP)
            try await Task.sleep(for: .seconds(14))
            kill(server.processIdentifier, SIGCONT)
        }
    }

    /// Waits until a part of the steps is done at a hospital.
    private func reach(_ part: Double, at name: String, _ coordinating: Process) async throws {
        let site = try Datasite(path: site(name))
        defer { try? site.close() }
        let limit = ContinuousClock.now + .seconds(300)
        while true {
            guard .now < limit, coordinating.isRunning else { throw Failure("The run did not get so far.") }
            if let job = try site.jobs(as: .localOwner).first, Double(job.step) >= part * Double(job.steps) { return }
            try await Task.sleep(for: .milliseconds(200))
        }
    }

    // MARK: the end

    /// Each ledger was charged once for each run, whatever happened on the way.
    private func settle() throws {
        narration.heading("Ledgers and receipts")
        for name in HospitalFiles.names {
            let site = try Datasite(path: site(name))
            defer { try? site.close() }
            narration.command("parley verify --site \(name)")
            guard try site.verify().isSound else { throw Failure("The files of \(name) are not sound.") }
            let released = try site.requests(as: .localOwner, state: "released")
            guard released.count == 2, try site.requests(as: .localOwner).count == 2 else {
                throw Failure("\(name) should have let out two models.")
            }
            let charges = released.map(\.charge.chargeText).joined(separator: ", and ")
            narration.terminal.line("\(name): charged \(charges); files sound")
        }
        narration.command("parley receipts")
        narration.terminal.write(try processes.call(["receipts"]))
    }
}
