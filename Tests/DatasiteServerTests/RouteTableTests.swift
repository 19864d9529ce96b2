import DatasiteProtocol
import Testing

@testable import DatasiteServer

@Suite("A method and a path lead to one operation")
struct RouteTableTests {
    let table = RouteTable()

    @Test("Every operation is found under its own method and path", arguments: Endpoint.allCases)
    func found(_ operation: Endpoint) {
        let path = operation.template.replacing("{name}", with: "a").replacing("{id}", with: "a")
            .replacing("{path}", with: "a")
        let parameter = path == operation.template ? nil : "a"
        #expect(table.match(method: operation.method, path: path) == .operation(operation, parameter: parameter))
        if operation.method == "GET" {
            #expect(table.match(method: "HEAD", path: path) == .operation(operation, parameter: parameter))
        }
    }

    @Test("Another method is told which there are")
    func otherMethods() {
        #expect(table.match(method: "GET", path: "/v1/ask") == .otherMethods(["POST"]))
        #expect(table.match(method: "PUT", path: "/v1/requests") == .otherMethods(["GET", "HEAD", "POST"]))
        #expect(table.match(method: "DELETE", path: "/v1/datasets/x") == .otherMethods(["GET", "HEAD"]))
        #expect(table.match(method: "HEAD", path: "/v1/requests/x/approve") == .otherMethods(["POST"]))
    }

    @Test(
        "Other paths are not there",
        arguments: [
            "/", "", "/v1", "/v1/", "/v1/datasets/", "/v1/datasets/a/", "/v1/datasets/a/b", "//v1/site", "/v1/site/",
            "/V1/site", "/v1/requests//answer", "/v1/datasets/%FF", "/v1/datasets/%2", "/metrics",
        ])
    func none(_ path: String) {
        #expect(table.match(method: "GET", path: path) == .none)
    }

    @Test("A tile's path may have several segments")
    func rest() {
        #expect(
            table.match(method: "GET", path: "/log/tile/0/x001/067.p/8") == .operation(.getTile, parameter: "0/x001/067.p/8"))
        #expect(table.match(method: "GET", path: "/log/tile/") == .none && table.match(method: "GET", path: "/log/tile") == .none)
    }

    @Test("A parameter is decoded once")
    func decoded() {
        #expect(
            table.match(method: "GET", path: "/v1/datasets/a%20b%2Fc%252F")
                == .operation(.getDataset, parameter: "a b/c%2F"))
    }

    @Test("Only what is public needs no token, and an auditor reaches no answer")
    func roles() {
        #expect(
            Endpoint.allCases.filter { $0.roles == nil } == [
                .health, .site, .getCheckpoint, .compareCheckpoint, .getTile,
            ])
        let answers: [Endpoint] = [.preview, .ask, .mock, .submit, .getAnswer, .approve, .deny, .cancelJob]
        for operation in answers { #expect(operation.roles?.contains(.auditor) == false, "\(operation)") }
        for operation in [Endpoint.approve, .deny] { #expect(operation.roles == [.owner]) }
        #expect(Endpoint.audit.roles?.contains(.researcher) == false)
    }
}

@Suite("A bearer token is read from its header")
struct BearerTokenTests {
    @Test("As RFC 6750 writes it, whatever the scheme's case")
    func read() {
        #expect(DatasiteResponder.bearerToken("Bearer abc") == "abc")
        #expect(DatasiteResponder.bearerToken("bearer abc") == "abc")
        for header in [nil, "", "Bearer", "Bearer ", "Basic abc", "abc"] {
            #expect(DatasiteResponder.bearerToken(header) == nil)
        }
    }
}
