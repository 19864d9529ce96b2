import Foundation

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// The server as it is run, `parley serve`, under the load of `wrk` on the same machine: 64 clients. There is no C loop to
/// compare with: what is sent is a few bytes.
struct ServerBenchmark {
    let workplace: Workplace
    static let clients = 64
    static let seconds = 10

    init(_ workplace: Workplace) { self.workplace = workplace }

    func run() throws {
        let program = URL(filePath: CommandLine.arguments[0]).deletingLastPathComponent().appending(path: "parley").path
        guard FileManager.default.isExecutableFile(atPath: program) else {
            reportSkipped("server", "there is no parley beside parley-bench: swift build --product parley")
            return
        }
        let site = try DemonstrationSite(workplace, name: "served")
        defer { try? FileManager.default.removeItem(atPath: site.path) }
        let starts = try (0..<10).map { _ in
            let server = try ServedProcess(program, site: site.path)
            defer { server.end() }
            return server.startSeconds
        }
        report("server_start", [("median_s", median(starts))])
        let server = try ServedProcess(program, site: site.path)
        defer { server.end() }
        report("server_memory_idle", [("resident_mb", server.residentMegabytes)])
        guard let wrk = Workplace.find("wrk") else {
            for name in ["catalogue_reads_per_second", "asks_per_second"] {
                reportSkipped(name, "wrk is not installed")
            }
            return
        }
        try load("catalogue_reads_per_second", wrk, server, ["\(server.url)/v1/datasets"], site)
        let body = #"{"dataset":"randhie","sql":"\#(DemonstrationSite.question)","rho":\#(DemonstrationSite.rho)}"#
        let script = workplace.path("ask.lua")
        try """
        wrk.method = "POST"
        wrk.body = '\(body)'
        wrk.headers["Content-Type"] = "application/json"
        """.write(toFile: script, atomically: true, encoding: .utf8)
        try load("asks_per_second", wrk, server, ["-s", script, "\(server.url)/v1/ask"], site)
        report("server_memory_loaded", [("resident_mb", server.residentMegabytes)])
    }

    private func load(
        _ name: String, _ wrk: String, _ server: ServedProcess, _ arguments: [String], _ site: DemonstrationSite
    ) throws {
        let (serverCPU, wrkCPU) = (server.processorSeconds, childrenSeconds())
        let text = try workplace.output(
            of: wrk,
            ["-t2", "-c\(Self.clients)", "-d\(Self.seconds)s", "-H", "Authorization: Bearer \(site.token)"] + arguments)
        let rate = text.firstMatch(of: /Requests\/sec:\s+([0-9.]+)/).flatMap { Double($0.1) } ?? .nan
        let wrong = text.firstMatch(of: /Non-2xx or 3xx responses: ([0-9]+)/).flatMap { Double($0.1) } ?? 0
        report(
            name,
            [
                ("per_s", rate), ("clients", Double(Self.clients)), ("not_answered", wrong),
                ("server_cpu_s", server.processorSeconds - serverCPU), ("wrk_cpu_s", childrenSeconds() - wrkCPU),
                ("seconds", Double(Self.seconds)), ("disk_sync_ms", try syncMilliseconds(workplace)),
            ])
    }
}

/// `parley serve`, or another command that serves, as a child.
final class ServedProcess {
    private let process = Process()
    let url: String
    /// From its start until it listens.
    let startSeconds: Double

    convenience init(_ program: String, site: String) throws {
        try self.init(program, ["serve", "--site", site, "--port", "0"])
    }

    /// Any command that serves.
    init(_ program: String, _ arguments: [String]) throws {
        process.executableURL = URL(filePath: program)
        process.arguments = arguments
        let pipe = Pipe()
        process.standardOutput = pipe
        process.standardError = FileHandle.nullDevice
        let start = wallSeconds()
        try process.run()
        var said = ""
        var found: String?
        while found == nil {
            let data = pipe.fileHandleForReading.availableData
            guard !data.isEmpty else { throw BenchmarkError(reason: "parley serve ended before it listened") }
            said += String(decoding: data, as: UTF8.self)
            found = said.firstMatch(of: /listening on (http:\/\/[0-9.:]+)\s/).map { String($0.1) }
        }
        startSeconds = wallSeconds() - start
        url = found ?? ""
    }

    func end() {
        process.terminate()
        process.waitUntilExit()
    }

    /// From `/proc` where there is one.
    var residentMegabytes: Double {
        let pages = fields("statm").dropFirst().first.flatMap { Double($0) }
        return pages.map { $0 * 4096 / 1_048_576 } ?? .nan
    }

    var processorSeconds: Double {
        // Behind the name in parentheses: fields 12 and 13 are ticks in user and system mode.
        let after = fields("stat").drop { !$0.hasSuffix(")") }.dropFirst().map { Double($0) }
        guard after.count > 12, let user = after[11], let system = after[12] else { return .nan }
        return (user + system) / Double(sysconf(Int32(_SC_CLK_TCK)))
    }

    private func fields(_ name: String) -> [Substring] {
        let text = try? String(contentsOfFile: "/proc/\(process.processIdentifier)/\(name)", encoding: .utf8)
        return (text ?? "").split(separator: " ")
    }
}

/// CPU seconds of the children that ended.
private func childrenSeconds() -> Double {
    var usage = rusage()
    #if os(Linux)
        getrusage(RUSAGE_CHILDREN.rawValue, &usage)
    #else
        getrusage(RUSAGE_CHILDREN, &usage)
    #endif
    func seconds(_ time: timeval) -> Double { Double(time.tv_sec) + Double(time.tv_usec) * 1e-6 }
    return seconds(usage.ru_utime) + seconds(usage.ru_stime)
}
