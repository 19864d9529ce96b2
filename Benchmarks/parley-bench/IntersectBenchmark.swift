import Foundation

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// Two sites as they are run, `parley serve`, and `parley intersect`, which relays between them, on this machine: each site's processor time, memory, and how long it takes in all, slots included.
struct IntersectBenchmark {
    let workplace: Workplace
    static let identifiers = 100_000

    func run() throws {
        let program = URL(filePath: CommandLine.arguments[0]).deletingLastPathComponent().appending(path: "parley").path
        guard FileManager.default.isExecutableFile(atPath: program) else {
            reportSkipped("intersect_sites", "there is no parley beside parley-bench: swift build --product parley")
            return
        }
        // Logins and receipts of its own.
        for name in ["XDG_CONFIG_HOME", "XDG_DATA_HOME"] { setenv(name, workplace.path(name), 1) }
        let port = 18_900
        let sites = ["first", "second"].map { workplace.path($0) }
        let keys = try sites.map { site in
            _ = try workplace.output(of: program, ["site", "init", site])
            return try workplace.output(of: program, ["site", "key", "--site", site])
                .trimmingCharacters(in: .whitespacesAndNewlines)
        }
        let servers = try sites.enumerated().map { place, site in
            let start = place == 0 ? 0 : Self.identifiers - Self.identifiers / 10
            let rows = (start..<start + Self.identifiers).map { "\(10_000_000 + $0)\n" }.joined()
            try ("person\n" + rows).write(toFile: site + ".csv", atomically: true, encoding: .utf8)
            try Self.manifest(keys, port: port).write(toFile: site + ".yaml", atomically: true, encoding: .utf8)
            _ = try workplace.output(
                of: program, ["data", "add", site + ".csv", "--manifest", site + ".yaml", "--site", site, "--yes"])
            let token = try workplace.output(
                of: program, ["user", "add", "ruth", "--role", "researcher", "--site", site])
            try token.write(toFile: site + ".token", atomically: true, encoding: .utf8)
            let server = try ServedProcess(program, site: site)
            _ = try workplace.output(of: program, ["login", server.url, "--token-file", site + ".token"])
            return server
        }
        defer { for server in servers { server.end() } }
        let (before, start) = (servers.map(\.processorSeconds), wallSeconds())
        _ = try workplace.output(
            of: program,
            [
                "intersect", servers.map(\.url).joined(separator: ","), "people", "--output", "identifiers", "--port",
                "\(port)",
            ])
        let wall = wallSeconds() - start
        let cpu = zip(servers, before).map { $0.processorSeconds - $1 }
        let shown = try workplace.output(of: program, ["data", "intersections", "--site", sites[0]])
        guard shown.contains("10,000 of your identifiers are there too") else {
            throw BenchmarkError(reason: "the sites found other than what both have")
        }
        report(
            "intersect_sites",
            [
                ("identifiers", Double(Self.identifiers)), ("first_cpu_s", cpu[0]), ("second_cpu_s", cpu[1]),
                ("wall_s", wall), ("resident_mb", servers.map(\.residentMegabytes).max() ?? .nan),
            ])
    }

    private static func manifest(_ keys: [String], port: Int) -> String {
        """
        name: people
        title: People
        description: Made up
        population: people
        unit: {column: person, rows: 1, groups: 1}
        capacity: {rows: \(identifiers), units: \(identifiers)}
        policy:
          loss: zcdp
          delta: 1e-7
          total: {epsilon: 4}
          engines:
            set-intersection: {sites: [\(keys.joined(separator: ", "))], coordinators: ["http://127.0.0.1:\(port)"], columns: [person], output: identifiers, recipients: [here, there], capacity: \(identifiers), uses: 3, approval: automatic}
        columns:
          - {name: person, type: integer, nullable: false}
        """
    }
}
