import Foundation
import Testing

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

@Suite("Completions know the datasets", .timeLimit(.minutes(20)))
struct CompletionTests {
    /// What a shell is told could stand for the dataset, as its completion script asks.
    private func names(_ place: Workplace, _ command: [String], _ words: [String], _ begun: String) throws
        -> Workplace.Finished
    {
        let asked = ["---completion"] + command + ["--", "positional@0", "\(words.count)", "\(begun.utf8.count)"]
        return try place.run([Workplace.executable] + asked + words + [begun], environment: ["SAP_SHELL": "bash"])
    }

    @Test("From the folder that is named, or is here; and from the site that one is logged in to")
    func completed() throws {
        let place = try Workplace()
        try MainJobTests.makeSite(place)
        let show = ["parley", "data", "show"]
        #expect(try names(place, ["data", "show"], show, "").output == "survey\n")
        #expect(try names(place, ["data", "show"], show, "su").output == "survey\n")
        #expect(try names(place, ["data", "show"], show, "x").output.trimmingCharacters(in: .newlines) == "")
        let server = try place.serve()
        try MainJobTests.logIn(place, server)
        #expect(try names(place, ["ask"], ["parley", "ask"], "s").output == "survey\n")
        let url = show + ["--url", server.url]
        #expect(try names(place, ["data", "show"], url, "").output == "survey\n")
        server.kill()
    }

    @Test("Where no site answers there are no names, and nothing is said of it")
    func nothing() throws {
        let place = try Workplace()
        for words in [["parley", "ask"], ["parley", "data", "show", "--site", "nowhere"]] {
            let finished = try names(place, Array(words.dropFirst().prefix { $0 != "--site" }), words, "")
            #expect(finished.all.trimmingCharacters(in: .newlines) == "" && finished.status == 0, "\(finished.all)")
        }
        // Somebody takes the connection and says nothing.
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(listener) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let port = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { socket -> UInt16 in
                bind(listener, socket, size)
                listen(listener, 4)
                getsockname(listener, socket, &size)
                return socket.withMemoryRebound(to: sockaddr_in.self, capacity: 1) {
                    UInt16(bigEndian: $0.pointee.sin_port)
                }
            }
        }
        try place.write("parley_" + String(repeating: "a", count: 43), to: "token")
        let words = ["parley", "data", "show", "--url", "http://127.0.0.1:\(port)", "--token-file", "token"]
        let finished = try names(place, ["data", "show"], words, "")
        #expect(finished.all.trimmingCharacters(in: .newlines) == "" && finished.status == 0, "\(finished.all)")
    }
}
