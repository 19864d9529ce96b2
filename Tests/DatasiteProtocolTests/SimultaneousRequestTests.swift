import Testing

@testable import DatasiteProtocol

@Suite("A request for intervals that hold together")
struct SimultaneousRequestTests {
    private func request(_ members: String) throws -> AskRequest {
        try AskRequest(decoding: Array(#"{"dataset": "d", "sql": "s", "epsilon": 1\#(members)}"#.utf8))
    }

    @Test("It is a member of its own, true or false; false and absent are one request, and one digest")
    func member() throws {
        let plain = try request("")
        #expect(!plain.simultaneous)
        #expect(try request(#", "simultaneous": false"#) == plain)
        let joint = try request(#", "simultaneous": true"#)
        #expect(joint.simultaneous)
        #expect(joint.digest(datasetVersion: "v") != plain.digest(datasetVersion: "v"))
        #expect(throws: JSONError.self) { try request(#", "simultaneous": 1"#) }
    }
}
