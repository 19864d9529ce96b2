import DatasiteProtocol
import Foundation
import Testing

@Suite("Problems have one home")
struct ProblemTests {
    /// What clients of every version rely on: the end of the URN, the status and the title.
    private static let table: [Problem.Kind: (slug: String, status: Int, title: String)] = [
        .invalidRequest: ("invalid-request", 400, "Invalid request"),
        .unauthenticated: ("unauthenticated", 401, "Not authenticated"),
        .forbidden: ("forbidden", 403, "Not allowed"),
        .notAllowed: ("not-allowed", 403, "The policy does not allow it"),
        .overBudget: ("over-budget", 403, "Over budget"),
        .notFound: ("not-found", 404, "Not found"),
        .methodNotAllowed: ("method-not-allowed", 405, "Method not allowed"),
        .timeout: ("timeout", 408, "Request timeout"),
        .conflict: ("conflict", 409, "Conflict"),
        .tooLarge: ("too-large", 413, "Too large"),
        .unsupportedMediaType: ("unsupported-media-type", 415, "Unsupported media type"),
        .invalidQuestion: ("invalid-question", 422, "The question cannot be answered"),
        .invalidManifest: ("invalid-manifest", 422, "The manifest is not valid"),
        .invalidData: ("invalid-data", 422, "The data are not valid"),
        .tooManyQuestions: ("too-many-questions", 429, "Too many questions"),
        .internalError: ("internal", 500, "Internal error"),
        .busy: ("busy", 503, "Busy"),
        .siteUnavailable: ("site-unavailable", 503, "The datasite is not available"),
    ]

    @Test("Type, title and status follow from the kind, and the kind from the type", arguments: Problem.Kind.allCases)
    func document(_ kind: Problem.Kind) throws {
        let expected = try #require(Self.table[kind])
        let problem = Problem(kind, "why", hint: "next", position: 7)
        let bytes = try JSONEncoder().encode(problem)
        let object = try #require(try JSONSerialization.jsonObject(with: bytes) as? [String: Any])
        #expect(object["type"] as? String == "urn:parley:problem:\(expected.slug)")
        #expect(object["title"] as? String == expected.title)
        #expect(object["status"] as? Int == expected.status)
        #expect(object["detail"] as? String == "why")
        #expect(object["hint"] as? String == "next")
        #expect(object["position"] as? Int == 7)
        let read = try JSONDecoder().decode(Problem.self, from: bytes)
        #expect(read == problem && read.kind == kind)
    }

    @Test("A status that says more takes the place of the kind's own, and changes neither type nor title")
    func exactStatus() {
        let problem = Problem(.tooLarge, "the path is too long", status: 414)
        #expect(problem.status == 414 && problem.kind == .tooLarge && problem.title == "Too large")
    }

    @Test(
        "A type of a later version, or of another system, is of no kind",
        arguments: [
            "urn:parley:problem:later", "urn:other:problem:busy", "busy", "about:blank", "",
        ])
    func unknown(_ type: String) throws {
        let text = #"{"type":"\#(type)","title":"T","status":418,"detail":"d"}"#
        let problem = try JSONDecoder().decode(Problem.self, from: Data(text.utf8))
        #expect(problem.kind == nil && problem.type == type && problem.title == "T" && problem.status == 418)
    }
}
