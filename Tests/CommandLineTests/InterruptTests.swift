import Foundation
import Testing

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// Real processes, interrupted for real.
@Suite("Ctrl-C", .timeLimit(.minutes(20)))
struct InterruptTests {
    private struct Job: Decodable {
        var id: String
        var state: String
    }

    /// Asks, and interrupts the asking process once its request stands in that state.
    private func interrupted(_ place: Workplace, _ state: String) throws -> (id: String, said: String, signal: Bool) {
        try place.write("", to: "said")
        let process = try place.start(
            [
                "ask", "survey", "SELECT COUNT(*) FROM survey", "--epsilon", "1", "--follow", "--idempotency-key",
                "mine",
            ],
            errors: FileHandle(forWritingAtPath: place.path("said")) as Any)
        var id: String?
        while id == nil, process.isRunning {
            let listed = try place.parley("jobs", "--json").output
            id = try JSONDecoder().decode([Job].self, from: Data(listed.utf8)).first { $0.state == state }?.id
            usleep(10_000)
        }
        process.interrupt()
        process.waitUntilExit()
        let signal = process.terminationReason == .uncaughtSignal && process.terminationStatus == SIGINT
        return (try #require(id), try place.read("said"), signal)
    }

    @Test("Who interrupts a question hears that it is charged and how to read its answer, and reads it")
    func charged() throws {
        let place = try Workplace()
        // Its answer takes seconds.
        try MainJobTests.makeSite(
            place, manifest: SmallSurvey.manifest().replacing("rows: 1000", with: "rows: 100000000"))
        let server = try place.serve()
        try MainJobTests.logIn(place, server)
        let (id, said, signal) = try interrupted(place, "running")
        #expect(signal, "it ended as Ctrl-C ends others")
        #expect(said.contains("The question is charged"), "\(said)")
        #expect(said.contains("parley history \(id)\n") && said.contains("--idempotency-key mine"), "\(said)")
        let read = try place.parley("history", id)
        #expect(read.status == 0 && read.output.contains("Charged"), "\(read.all)")
        #expect(read.output.contains("the time follows the declared capacity of 100,000,000"), "\(read.all)")
        let repeated = try place.parley(
            "ask", "survey", "SELECT COUNT(*) FROM survey", "--epsilon", "1", "--idempotency-key", "mine")
        #expect(repeated.output == read.output)
        server.kill()
    }

    @Test("Who stops waiting for an owner hears that the request goes on waiting, and how to withdraw it")
    func held() throws {
        let place = try Workplace()
        try MainJobTests.makeSite(place, manifest: SmallSurvey.manifest(approval: "owner"))
        let server = try place.serve()
        try MainJobTests.logIn(place, server)
        let (id, said, signal) = try interrupted(place, "pending")
        #expect(signal, "it ended as Ctrl-C ends others")
        #expect(said.contains("still waits") && said.contains("parley jobs cancel \(id)"), "\(said)")
        #expect(!said.contains("is charged,"), "\(said)")
        #expect(try place.parley("jobs", "cancel", id).status == 0)
        server.kill()
    }

    @Test("At a continuation line it drops the question and the shell stays", arguments: ["xterm", "dumb"])
    func shell(terminal: String) throws {
        let place = try Workplace()
        try MainJobTests.makeSite(place)
        let server = try place.serve()
        try MainJobTests.logIn(place, server)
        let screen = try Screen()
        let process = try place.start(
            command: ["/usr/bin/env", "TERM=\(terminal)", Workplace.executable, "shell", "survey", "--epsilon", "1"],
            input: screen.keyboard, output: screen.keyboard, errors: screen.keyboard)
        screen.closeKeyboard()
        func interrupt() { terminal == "dumb" || !Screen.hasEditor ? process.interrupt() : screen.type("\u{3}") }
        #expect(screen.shows("survey> "))
        screen.type("SELECT SUM(visits)\n")
        #expect(screen.shows("......> "))
        interrupt()
        #expect(screen.shows("survey> "))
        screen.type("SELECT COUNT(*) AS people FROM survey;\n")
        #expect(screen.shows("Charged"), "\(screen.text)")
        #expect(!screen.text.contains("SUM"), "\(screen.text)")
        interrupt()
        #expect(screen.shows("survey> ") || screen.text.contains("survey> "))
        screen.type("\\quit\n")
        while process.isRunning, screen.read() {}
        process.waitUntilExit()
        #expect(process.terminationReason == .exit && process.terminationStatus == 0)
        server.kill()
    }
}

/// A terminal that a test holds.
private final class Screen {
    private let master: Int32
    let keyboard: FileHandle
    /// What was shown since it was looked at last.
    private(set) var text = ""

    static var hasEditor: Bool {
        ["libedit.so.2", "libedit.so.0", "libedit.dylib"].contains { (name: String) in dlopen(name, RTLD_NOW) != nil }
    }

    struct Missing: Error {}

    init() throws {
        var (master, slave) = (Int32(-1), Int32(-1))
        guard openpty(&master, &slave, nil, nil, nil) == 0 else { throw Missing() }
        self.master = master
        keyboard = FileHandle(fileDescriptor: slave, closeOnDealloc: false)
    }

    deinit { close(master) }

    /// The program's end alone is left open.
    func closeKeyboard() { try? keyboard.close() }

    func type(_ keys: String) {
        text = ""
        _ = Array(keys.utf8).withUnsafeBytes { write(master, $0.baseAddress, $0.count) }
    }

    /// Whether it comes to show that; false where the program ends before.
    func shows(_ words: String) -> Bool {
        while !text.contains(words) { guard read() else { return false } }
        return true
    }

    /// Reads what comes next; false at the end.
    func read() -> Bool {
        var bytes = [UInt8](repeating: 0, count: 4096)
        let count = bytes.withUnsafeMutableBytes { systemRead(master, $0) }
        guard count > 0 else { return false }
        text += String(decoding: bytes.prefix(count), as: UTF8.self)
        return true
    }
}

private func systemRead(_ descriptor: Int32, _ bytes: UnsafeMutableRawBufferPointer) -> Int {
    read(descriptor, bytes.baseAddress, bytes.count)
}
