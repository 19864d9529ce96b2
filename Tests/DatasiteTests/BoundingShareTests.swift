import DatasiteProtocol
import Foundation
import Query
import Tables
import Testing

@testable import Datasite

@Suite("An answer says what bounding left out, unless it was asked not to")
struct BoundingShareTests {
    private func answer(_ request: AskRequest, _ site: Datasite, key: String? = nil) async throws -> Answer {
        guard case .released(let answer, _) = try await site.ask(request, as: .ada, idempotencyKey: key) else {
            throw Problem.unavailable("not answered")
        }
        return try JSONDecoder().decode(Answer.self, from: Data(answer))
    }

    private func count(_ shares: Bool?, groups: Int? = 1) -> AskRequest {
        var request = TestSite.count(1)
        request.groupsPerUnit = groups
        request.boundingShares = shares
        return request
    }

    @Test("Absent means yes; the charge is what was asked either way, and preview and mock answer agree")
    func asked() async throws {
        let test = try TestSite()
        let answer = try await answer(count(nil), test.site)
        let bounding = try #require(answer.bounding)
        #expect(bounding.units != nil && bounding.rows != nil && bounding.dropped != nil)
        #expect((answer.charge.epsilon ?? 2) <= 1 && (answer.charge.epsilon ?? 0) > 0.999)
        let without = try await self.answer(count(false), test.site)
        #expect(without.bounding == nil && (without.charge.epsilon ?? 2) <= 1)
        let ungrouped = try await self.answer(count(true, groups: nil), test.site)
        #expect(ungrouped.bounding?.rows == nil && ungrouped.bounding?.dropped != nil)
        let preview = try await test.site.preview(count(nil), as: .ada)
        #expect(preview.notes.contains { $0.hasPrefix("1/20 of the budget") })
        let silent = try await test.site.preview(count(false), as: .ada)
        #expect(!silent.notes.contains { $0.hasPrefix("1/20 of the budget") })
        let mock = try JSONDecoder().decode(
            Answer.self, from: Data(try await test.site.mock(count(nil), as: .ada)))
        #expect(mock.bounding == nil, "of made-up rows it would be read as the table's")
    }

    @Test("A request that does not say it is the one that says yes, under one key; saying no is another")
    func idempotency() async throws {
        let test = try TestSite()
        let first = try await answer(count(nil), test.site, key: "k")
        let again = try await answer(count(true), test.site, key: "k")
        #expect(first == again)
        await #expect(throws: Problem.self) { try await answer(count(false), test.site, key: "k") }
        #expect(count(nil).digest(datasetVersion: "v") == count(true).digest(datasetVersion: "v"))
        #expect(count(nil).digest(datasetVersion: "v") != count(false).digest(datasetVersion: "v"))
    }

    @Test("What was stored before there were shares is planned without them, under the charge that it had")
    func storedBefore() throws {
        let test = try TestSite()
        let knowledge = PublicKnowledge(catalogue: try test.site.catalogue()) { _ in nil }
        let stored = try QuestionWork(body: AnswerEncoding.bytes(count(nil)), in: knowledge)
        #expect(stored.plan.specification.bounding == .init())
        let now = try QuestionWork(body: QuestionWork.body(count(nil)), in: knowledge)
        #expect(now.plan.specification.bounding == .init(rowsPerUnit: 3, loaded: [3]))
        let without = try QuestionWork(body: QuestionWork.body(count(false)), in: knowledge)
        #expect(stored.plan.charge == without.plan.charge)
    }

    @Test("The wire takes true and false, and nothing else")
    func wire() throws {
        func read(_ value: String) throws -> Bool? {
            let text = #"{"dataset":"visits","sql":"s","epsilon":1,"boundingShares":\#(value)}"#
            return try AskRequest(decoding: Array(text.utf8)).boundingShares
        }
        #expect(try read("false") == false && read("true") == true)
        #expect(try read("null") == nil)
        #expect(throws: JSONError.self) { try read("0") }
        #expect(throws: JSONError.self) { try read(#""false""#) }
    }

    @Test("Rows that were dropped when a table was added are counted, with those that are appended")
    func dropped() async throws {
        let test = try TestSite(policy: "{loss: pure, total: {epsilon: 3000}}", people: 3)
        func rows(_ kinds: Int, people: Int) -> String {
            "person,kind,amount\n"
                + (0..<people).flatMap { person in (0..<kinds).map { _ in "\(person),a,\(person % 9)\n" } }.joined()
        }
        var request = TestSite.count(700)
        _ = try test.site.addVersion(of: "visits", file: try test.file("five", rows(5, people: 200)))
        let first = try #require(try await answer(request, test.site).bounding?.dropped)
        // 400 are dropped and 600 kept; noise of some rows.
        #expect(abs((number(first.cut) ?? 0) - 400) < 20 && abs((number(first.kept) ?? 0) - 600) < 20)
        _ = try test.site.append(to: "visits", file: try test.file("more", rows(2, people: 100)))
        request.sql += " ORDER BY 1"
        let second = try #require(try await answer(request, test.site).bounding?.dropped)
        // Of the first hundred three count: two and two are one too many.
        #expect(abs((number(second.cut) ?? 0) - 500) < 20 && abs((number(second.kept) ?? 0) - 600) < 20)
        #expect(try test.site.verify().problems == [])
    }

    private func number(_ cell: Answer.Cell) -> Double? {
        if case .integer(let value) = cell.value { Double(value) } else { nil }
    }

    @Test("A table's files from before know nothing of it: they open, and the answer says that it is not known")
    func old() async throws {
        let test = try TestSite()
        let version = try #require(try test.site.catalogue().datasets["visits"]).version
        let folder = URL(filePath: test.site.folder.directory(ofVersion: version))
        let description = folder.appending(path: TableFiles.descriptionName)
        var text = try String(contentsOf: description, encoding: .utf8)
        #expect(text.contains(#""countsDropped":true,"#))
        text = text.replacing(#""countsDropped":true,"#, with: "")
        text = text.replacing(/"unit-dropped":[0-9]+,/, with: "")
        try Data(text.utf8).write(to: description)
        try FileManager.default.removeItem(at: folder.appending(path: "unit-dropped"))
        let site = try test.reopened()
        let answer = try await answer(count(nil), site)
        #expect(answer.bounding?.rows != nil && answer.bounding?.dropped == nil)
        #expect(answer.notes.contains { $0.contains("is not known") })
        #expect(try TableFiles(directory: folder.path).damagedParts() == [])
    }
}
