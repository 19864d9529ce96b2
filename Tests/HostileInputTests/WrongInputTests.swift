import DatasiteProtocol
import DifferentialPrivacy
import Foundation
import Governance
import Query
import Testing

@testable import Datasite

/// Wrong input as people write it, each with the words that it must be met with: what is wrong, where, and what would be
/// right; never a value of a row. `PARLEY_RECORD=1` writes the words beside the inputs anew, to be read before they are
/// committed.
@Suite("Wrong input gets clear words")
struct WrongInputTests {
    private static let manifest: String = {
        (try? String(contentsOf: WrongInput.folder.appending(path: "visits.yaml"), encoding: .utf8)) ?? ""
    }()

    @Test("Questions", arguments: WrongInput.named("sql"))
    func questions(_ input: WrongInput) throws {
        let document = try ManifestDocument(Self.manifest)
        let manifest = document.manifest
        let description = DatasetDescription(
            name: manifest.name, schema: manifest.schema, unit: manifest.unit, weightColumn: nil,
            capacityRows: manifest.capacityRows, population: manifest.population)
        let sql = try input.text()
        let regime = try #require(manifest.policy?.regime)
        do throws(QueryError) {
            _ = try Planner.plan(
                Question(sql: sql, budget: .epsilon(1)), in: PlanningContext(datasets: [description], regime: regime))
            Issue.record("\(input): it was planned")
        } catch {
            let place = error.location(in: sql).map { "line \($0.line), column \($0.column): " } ?? ""
            try input.check(place + error.message, hint: error.hint)
        }
    }

    @Test("Manifests", arguments: WrongInput.named("manifest"))
    func manifests(_ input: WrongInput) throws {
        do {
            _ = try ManifestDocument(input.text())
            Issue.record("\(input): it was read")
        } catch let problem as Problem {
            try input.check(problem.detail, hint: problem.hint)
        }
    }

    @Test("Tables", arguments: WrongInput.named("csv") + WrongInput.named("ndjson"))
    func tables(_ input: WrongInput) throws {
        let path = NSTemporaryDirectory() + "parley-wrong-" + UUID().uuidString
        defer { try? FileManager.default.removeItem(atPath: path) }
        try Datasite.create(at: path, name: "wrong", limits: .reference)
        let site = try Datasite(path: path)
        do {
            _ = try site.addDataset(file: input.file.path, manifestText: Self.manifest)
            // Values outside a domain are the owner's to hear of, and no reason to refuse a table.
            try input.check("", hint: nil)
        } catch let problem as Problem {
            #expect(!problem.detail.contains("secret"), "a value of a row is in the words")
            try input.check(problem.detail, hint: problem.hint)
        }
        let isRefused = try !input.expected().isEmpty
        #expect(try site.datasets().isEmpty == isRefused)
        #expect(try FileManager.default.contentsOfDirectory(atPath: path + "/data").isEmpty == isRefused)
    }
}

/// A file of wrong input, and beside it, ending in .txt, what must be said about it: the detail, then the hint.
struct WrongInput: Sendable, CustomStringConvertible {
    static let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Wrong")

    let file: URL

    var description: String { file.lastPathComponent }

    static func named(_ kind: String) -> [WrongInput] {
        let files = (try? FileManager.default.contentsOfDirectory(atPath: folder.appending(path: kind).path)) ?? []
        return files.filter { !$0.hasSuffix(".txt") }.sorted().map {
            WrongInput(file: folder.appending(path: kind).appending(path: $0))
        }
    }

    func text() throws -> String { String(decoding: try Data(contentsOf: file), as: UTF8.self) }

    private var words: URL { file.deletingPathExtension().appendingPathExtension("txt") }

    func expected() throws -> String { try String(contentsOf: words, encoding: .utf8) }

    func check(_ detail: String, hint: String?) throws {
        // The file's own place differs from machine to machine.
        let found =
            ([detail] + (hint.map { [$0] } ?? [])).joined(separator: "\n")
            .replacing(file.path, with: file.lastPathComponent) + (detail.isEmpty ? "" : "\n")
        if ProcessInfo.processInfo.environment["PARLEY_RECORD"] == "1" {
            try Data(found.utf8).write(to: words)
        }
        #expect(try found == expected(), "\(self)")
    }
}
