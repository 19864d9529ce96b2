import DatasiteProtocol
import Foundation
import Synchronization
import Testing

@testable import Datasite

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

@Suite("The owner's command is told what waits, and can do no more to the site than fail", .serialized)
struct NotifyTests {
    /// A site whose questions all wait, with a command; what it reports is kept in order.
    private final class Hooked: Sendable {
        let test: TestSite
        private let reports: AsyncStream<HookReport>
        private let kept = Mutex<[HookReport]>([])

        init(_ command: [String], limits: NotifyHook.Limits = NotifyHook.Limits()) throws {
            test = try TestSite(policy: "{loss: pure, total: {epsilon: 10}, approval: owner}")
            try NotifyTests.write("notify: \(try NotifyTests.json(command))\n", to: test.path + "/parley.yaml")
            let (reports, continuation) = AsyncStream<HookReport>.makeStream()
            self.reports = reports
            try test.site.startNotifying(limits: limits) { continuation.yield($0) }
        }

        /// A script that `sh` runs.
        convenience init(script: String, limits: NotifyHook.Limits = NotifyHook.Limits()) throws {
            try self.init(["/bin/sh", "-c", script], limits: limits)
        }

        /// The next report.
        func report() async throws -> HookReport {
            try #require(await reports.first { _ in true })
        }

        func ask(_ key: String = "k", purpose: String? = nil) async throws -> String {
            var request = TestSite.count(0.01)
            request.purpose = purpose
            let result = try await test.site.ask(request, as: .ada, idempotencyKey: key)
            return try #require(result.pendingID)
        }

        func text(_ name: String) throws -> String {
            try String(contentsOfFile: test.path + "/" + name, encoding: .utf8)
        }

        func make(_ name: String) throws { try NotifyTests.write("", to: test.path + "/" + name) }

        /// Waits until the command has written that file.
        func appears(_ name: String) async throws {
            while access(test.path + "/" + name, F_OK) != 0 { try await Task.sleep(for: .milliseconds(2)) }
        }
    }

    private static func write(_ text: String, to path: String, mode: Int = 0o600) throws {
        try Data(text.utf8).write(to: URL(filePath: path))
        try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: path)
    }

    private static func json(_ words: [String]) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = .withoutEscapingSlashes
        return String(decoding: try encoder.encode(words), as: UTF8.self)
    }

    /// Whether a process is there, and not a zombie that another parent has not looked at yet.
    private static func isAlive(_ process: String) -> Bool {
        guard let state = try? String(contentsOfFile: "/proc/\(process)/stat", encoding: .utf8) else { return false }
        return state.split(separator: ")").last?.contains("Z") != true
    }

    private struct Told: Decodable {
        var event: String
        var site: String
        var datasets: [String]
        var request: RequestSummary
    }

    @Test("What a researcher wrote arrives as data, and the command gets nothing else of the server")
    func arrives() async throws {
        let script = FileManager.default.temporaryDirectory.path + "/parley-hook-" + UUID().uuidString
        try Self.write(
            """
            #!/bin/sh
            cat > told.json
            printf '%s\\n' "$@" > told.arguments
            env > told.environment
            for file in /proc/$$/fd/*; do readlink "$file"; done > told.files
            pwd > told.folder
            echo thanks
            """, to: script, mode: 0o700)
        defer { try? FileManager.default.removeItem(atPath: script) }
        let hooked = try Hooked([script, "two words", "$(touch pwned)", "; touch pwned"])
        let purpose = "\"quoted\" 'and' \\\n\n.\n$(touch pwned) `touch pwned`; touch pwned\u{1b}[2J \u{202e}\u{1f600}"
        let id = try await hooked.ask(purpose: purpose)
        #expect(try await hooked.report() == HookReport(request: id, output: "thanks\n"))
        let text = try hooked.text("told.json")
        #expect(text.hasSuffix("}\n") && text.split(separator: "\n").count == 1)
        let told = try JSONDecoder().decode(Told.self, from: Data(text.utf8))
        #expect(told.event == "pending" && told.site == "test" && told.datasets == ["visits"])
        #expect(told.request.purpose == purpose && told.request.id == id && told.request.researcher == "ada")
        #expect(try told.request == hooked.test.site.request(id, as: .folder))
        #expect(try hooked.text("told.arguments") == "two words\n$(touch pwned)\n; touch pwned\n")
        #expect(try hooked.text("told.folder") == hooked.test.path + "\n")
        let names = try hooked.text("told.environment").split(separator: "\n").map { $0.prefix { $0 != "=" } }
        // A script finds the program that runs it under its name.
        let own = URL(filePath: CommandLine.arguments[0]).resolvingSymlinksInPath().deletingLastPathComponent().path
        #expect(try hooked.text("told.environment").contains(":/bin:\(own)\n"))
        #expect(Set(names).isSubset(of: ["PATH", "LANG", "HOME", "PARLEY_SITE", "PWD", "OLDPWD", "SHLVL", "_"]))
        #expect(try hooked.text("told.environment").contains("PARLEY_SITE=\(hooked.test.path)\n"))
        #expect(try !hooked.text("told.files").contains("sqlite"))
        #expect(access(hooked.test.path + "/pwned", F_OK) != 0)
        #expect(access(hooked.test.path + "/notify.input", F_OK) != 0)
    }

    @Test("It is started once for a request, and not for one that is answered at once")
    func once() async throws {
        let hooked = try Hooked(script: "echo >> runs")
        let first = try await hooked.ask("one")
        #expect(try await hooked.ask("one") == first)
        #expect(try await hooked.report() == HookReport(request: first, output: ""))
        try hooked.test.site.setPolicy(of: "visits", policyText: "{loss: pure, total: {epsilon: 10}}")
        #expect(try await hooked.test.site.ask(TestSite.count(0.01), as: .ada).answer != nil)
        try hooked.test.site.setPolicy(
            of: "visits", policyText: "{loss: pure, total: {epsilon: 10}, approval: owner}")
        let second = try await hooked.ask("two")
        #expect(try await hooked.report().request == second)
        #expect(try hooked.text("runs") == "\n\n")
    }

    @Test("A command that hangs is killed with what it started, leaves no zombie, and the next one runs")
    func hangs() async throws {
        var limits = NotifyHook.Limits()
        limits.time = .milliseconds(300)
        let hooked = try Hooked(
            script: "[ -e go ] && exit 0; sleep 600 & echo $! > started; echo $$ > own; : > all; wait", limits: limits)
        let id = try await hooked.ask("one")
        let report = try await hooked.report()
        #expect(report.request == id && report.problem == "was killed: it took longer than 0.3 seconds")
        let started = try hooked.text("started").trimmingCharacters(in: .newlines)
        #expect(access("/proc/" + (try hooked.text("own").trimmingCharacters(in: .newlines)), F_OK) != 0)
        while Self.isAlive(started) { try await Task.sleep(for: .milliseconds(2)) }
        try hooked.make("go")
        let next = try await hooked.ask("two")
        #expect(try await hooked.report() == HookReport(request: next, output: ""))
    }

    @Test(
        "A command that fails, dies or is missing is reported, and the request waits as it did",
        arguments: [
            (["/bin/sh", "-c", "echo why; echo more >&2; exit 3"], "ended with status 3", "why\nmore\n"),
            (["/bin/sh", "-c", "kill -9 $$"], "was ended by signal 9", ""),
            (["/bin/sh", "-c", "kill -PIPE $$"], "was ended by signal 13", ""),
            (["/no/such/command"], "could not be started: No such file or directory", ""),
            (["/etc/passwd"], "could not be started: Permission denied", ""),
        ])
    func fails(_ command: [String], _ problem: String, _ output: String) async throws {
        let hooked = try Hooked(command)
        let id = try await hooked.ask()
        #expect(try await hooked.report() == HookReport(request: id, problem: problem, output: output))
        #expect(try hooked.test.site.request(id, as: .ada).state == "pending")
        #expect(try await hooked.test.site.approve(id, by: .folder).state == "released")
        #expect(try hooked.test.site.verify().problems == [])
    }

    @Test("Of megabytes that it prints 4 KiB are kept, and it is not held up")
    func prints() async throws {
        let hooked = try Hooked(script: "head -c 5000000 /dev/zero | tr '\\0' x")
        let id = try await hooked.ask()
        let report = try await hooked.report()
        #expect(report.request == id && report.problem == nil)
        #expect(report.output == String(repeating: "x", count: 4_096) + " (and 4995904 bytes more)")
    }

    @Test("A command that neither reads nor stays, or leaves something running, holds up nobody")
    func ignores() async throws {
        let hooked = try Hooked(script: "exec <&-; (trap '' TERM; sleep 600) & echo $! > left")
        let id = try await hooked.ask(purpose: String(repeating: "p", count: 2_000))
        #expect(try await hooked.report() == HookReport(request: id, output: ""))
        let left = try #require(pid_t(try hooked.text("left").trimmingCharacters(in: .newlines)))
        #expect(kill(left, SIGKILL) == 0)
    }

    @Test("Of a hundred at once some wait, one runs, and the rest are counted: no request waits for the command")
    func hundred() async throws {
        var limits = NotifyHook.Limits()
        limits.waiting = 10
        let hooked = try Hooked(
            script: """
                mkdir busy || echo >> overlaps
                while ! [ -e go ]; do sleep 0.01; done
                echo >> runs; rmdir busy
                """, limits: limits)
        try await withThrowingTaskGroup(of: String.self) { group in
            var ids: Set<String> = [try await hooked.ask("first")]
            try await hooked.appears("busy")
            for index in 1..<100 { group.addTask { try await hooked.ask("\(index)") } }
            for try await id in group { ids.insert(id) }
            #expect(ids.count == 100)
        }
        try hooked.make("go")
        let lost = hooked.test.site.statistics().droppedNotices
        #expect(lost == 89)
        var reports: [HookReport] = []
        for _ in 0...(100 - lost) { reports.append(try await hooked.report()) }
        #expect(Set(reports.compactMap(\.request)).count == 100 - lost)
        let several = reports.filter { $0.request == nil }
        #expect(several.map { $0.problem?.hasPrefix("was not started for \(lost) requests") } == [true])
        #expect(try hooked.text("runs").count == 100 - lost)
        #expect(access(hooked.test.path + "/overlaps", F_OK) != 0)
        #expect(try hooked.test.site.requests(as: .folder, state: "pending").count == 100)
    }

    @Test("A server that ends kills what still runs when its grace is over, and says what was not started")
    func ends() async throws {
        let hooked = try Hooked(script: "echo $$ > own; : > started; sleep 600")
        let first = try await hooked.ask("one")
        _ = try await hooked.ask("two")
        try await hooked.appears("started")
        await hooked.test.site.stopNotifying(grace: .zero)
        #expect(
            try await hooked.report()
                == HookReport(request: first, problem: "was killed: the server was ending", output: ""))
        #expect(try await hooked.report().problem?.hasPrefix("was not started for 1 request") == true)
        #expect(access("/proc/" + (try hooked.text("own").trimmingCharacters(in: .newlines)), F_OK) != 0)
        _ = try await hooked.ask("three")
        #expect(hooked.test.site.statistics().droppedNotices == 2)
    }

    @Test("A server that ends lets what runs end within its grace")
    func endsInPeace() async throws {
        let hooked = try Hooked(script: ": > started; while ! [ -e go ]; do sleep 0.01; done; echo done")
        let id = try await hooked.ask()
        try await hooked.appears("started")
        async let stopped: Void = hooked.test.site.stopNotifying(grace: .seconds(600))
        try hooked.make("go")
        await stopped
        #expect(try await hooked.report() == HookReport(request: id, output: "done\n"))
    }

    @Test("A site that is closed leaves no command behind")
    func closes() async throws {
        let hooked = try Hooked(script: "echo $$ > own; : > started; sleep 600")
        _ = try await hooked.ask()
        try await hooked.appears("started")
        try hooked.test.site.close()
        #expect(access("/proc/" + (try hooked.text("own").trimmingCharacters(in: .newlines)), F_OK) != 0)
    }

    // MARK: The configuration

    @Test(
        "What is wrong in parley.yaml is told with its place",
        arguments: [
            ("notfy: [/bin/true]", "line 1, column 1: there is no key `notfy` here", "the keys are notify"),
            (
                "notify: mail ana",
                "line 1, column 9: `notify`: expected a list: [/full/path/of/command, argument, ...]", "without a shell"
            ),
            ("notify:", "`notify`: expected a list", "without a shell"),
            ("notify: []", "`notify`: the list is empty", "nothing is run"),
            ("notify: [mail, ana]", "`notify`: the command must be given by its full path", "command -v"),
            ("notify: [/bin/echo, [a]]", "`notify[1]`: expected a word of the command", ""),
            ("notify: [/bin/echo, \"a\\0b\"]", "`notify[1]`: a word of the command holds a zero byte", ""),
            ("notify: [/a]\nnotify: [/b]", "the key `notify` is given twice", ""),
            ("notify: [&a /bin/echo, *a]", "anchors and aliases are not allowed", ""),
            ("[/bin/true]", "expected a mapping with the keys notify", ""),
        ])
    func wrongConfiguration(_ text: String, _ words: String, _ hint: String) throws {
        let test = try TestSite()
        let path = test.path + "/parley.yaml"
        try Self.write(text, to: path)
        let refused = #expect(throws: Problem.self) { try test.site.startNotifying { _ in } }
        #expect(
            refused?.detail.hasPrefix(path + ": ") == true && refused?.detail.contains(words) == true,
            "\(refused?.detail ?? "")")
        #expect(hint.isEmpty || refused?.hint?.contains(hint) == true, "\(refused?.hint ?? "")")
    }

    @Test("A list of words is the command; no file, and one of comments, set nothing")
    func configuration() throws {
        #expect(
            try SiteConfiguration("# mail\nnotify: [/usr/bin/env, yes, 1, '$HOME a']\n").notify
                == ["/usr/bin/env", "yes", "1", "$HOME a"])
        #expect(try SiteConfiguration("notify:\n  - /bin/true\n").notify == ["/bin/true"])
        for text in ["", "\n", "# notify: [/bin/true]\n  # and more\n"] {
            #expect(try SiteConfiguration(text).notify == nil)
        }
        #expect(try SiteConfiguration(path: "/no/such/parley.yaml") == SiteConfiguration())
    }

    @Test("A configuration that others could have written is refused", arguments: [0o620, 0o602, 0o666])
    func openConfiguration(_ mode: Int) throws {
        let test = try TestSite()
        let path = test.path + "/parley.yaml"
        try Self.write("notify: [/bin/true]", to: path, mode: mode)
        let refused = #expect(throws: Problem.self) { try test.site.startNotifying { _ in } }
        #expect(refused?.kind == .forbidden && refused?.hint?.hasPrefix("chmod 600 \(path)") == true)
        try Self.write("notify: [/bin/true]", to: path, mode: 0o644)
        try test.site.startNotifying { _ in }
    }

    @Test("A command that others could have written is refused at the start, and not run where that came later")
    func openCommand() async throws {
        let script = FileManager.default.temporaryDirectory.path + "/parley-hook-" + UUID().uuidString
        defer { try? FileManager.default.removeItem(atPath: script) }
        try Self.write("#!/bin/sh\n: > ran\n", to: script, mode: 0o755)
        let hooked = try Hooked([script])
        try FileManager.default.setAttributes([.posixPermissions: 0o775], ofItemAtPath: script)
        let id = try await hooked.ask()
        let report = try await hooked.report()
        #expect(report.request == id)
        #expect(report.problem?.hasPrefix("was not started: others may write the command \(script) (mode 775)") == true)
        #expect(access(hooked.test.path + "/ran", F_OK) != 0)
        let refused = #expect(throws: Problem.self) { try hooked.test.site.startNotifying { _ in } }
        #expect(refused?.kind == .forbidden && refused?.hint?.hasPrefix("chmod go-w \(script)") == true)
        // Only root can give a file away.
        guard geteuid() == 0 else { return }
        try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: script)
        #expect(chown(script, 12_345, 12_345) == 0)
        let strange = #expect(throws: Problem.self) { try hooked.test.site.startNotifying { _ in } }
        #expect(strange?.detail.hasPrefix("the command \(script) belongs to another user") == true)
    }

    @Test("A configuration of another user, a link and what is no file are refused")
    func strangeConfiguration() throws {
        let test = try TestSite()
        let path = test.path + "/parley.yaml"
        func refusal() -> Problem? { #expect(throws: Problem.self) { try test.site.startNotifying { _ in } } }
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
        #expect(refusal()?.detail == "\(path) is not a file")
        try FileManager.default.removeItem(atPath: path)
        try Self.write("notify: [/bin/true]", to: path + ".other")
        try FileManager.default.createSymbolicLink(atPath: path, withDestinationPath: path + ".other")
        #expect(refusal()?.detail.contains("symbolic link") == true)
        try FileManager.default.removeItem(atPath: path)
        try Self.write(String(repeating: "#", count: SiteConfiguration.largestFile + 1), to: path)
        #expect(refusal()?.kind == .tooLarge)
        // Only root can give a file away.
        guard geteuid() == 0 else { return }
        try Self.write("notify: [/bin/true]", to: path)
        #expect(chown(path, 12_345, 12_345) == 0)
        #expect(refusal()?.detail.hasPrefix("\(path) belongs to another user") == true)
    }
}
