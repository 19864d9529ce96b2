import Testing

@testable import DatasiteServer

/// Public content as strangers reach it.
@Suite("A gateway as strangers reach it", .timeLimit(.minutes(20)))
struct ContentRoutesTests {
    @Test("Places are counted by network where addresses are for nothing")
    func holders() {
        #expect(Network.holder(of: "2001:db8:1:2::5") == Network.holder(of: "2001:db8:1:2:ffff::1%eth0"))
        #expect(Network.holder(of: "2001:db8:1:2::5") != Network.holder(of: "2001:db8:1:3::5"))
        #expect(Network.holder(of: "192.0.2.1") == Network.holder(of: "::ffff:192.0.2.1"))
        #expect(Network.holder(of: "192.0.2.1") != Network.holder(of: "192.0.2.2"))
        #expect(Network.holder(of: "unknown") == "unknown")
    }
}
