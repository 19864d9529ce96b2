import DifferentialPrivacy
import Foundation

/// Lines of JSON in, lines of JSON out; a line that is refused says why, and the rest goes on.
struct PrivacyBatch {
    let defaults: AccountantOptions

    /// What a line asks.
    private struct Question: Decodable {
        var event: PrivacyEvent
        var delta: Double
        var accountant: AccountantChoice?
        var conversion: RenyiConversion?
        var neighbours: NeighbourRelation?
        var gridStep: Double?

        private struct Member: CodingKey {
            let stringValue: String
            var intValue: Int? { nil }
            init(stringValue: String) { self.stringValue = stringValue }
            init?(intValue: Int) { nil }
        }

        init(from decoder: any Decoder) throws {
            let members = try decoder.container(keyedBy: Member.self)
            let known = ["event", "delta", "accountant", "conversion", "neighbours", "grid-step"]
            for key in members.allKeys.map(\.stringValue).sorted() where !known.contains(key) {
                let names = known.map { "\"\($0)\"" }.joined(separator: ", ")
                throw DecodingError.dataCorrupted(
                    .init(codingPath: [], debugDescription: "unknown member \"\(key)\": expected \(names)"))
            }
            event = try members.decode(PrivacyEvent.self, forKey: Member(stringValue: "event"))
            delta = try Self.number("delta", members) { try $0.decode(Double.self, forKey: $1) }
            accountant = try Self.named("accountant", members)
            conversion = try Self.named("conversion", members)
            neighbours = try Self.named("neighbours", members)
            gridStep = try Self.number("grid-step", members) { try $0.decodeIfPresent(Double.self, forKey: $1) }
        }

        private static func number<Value>(
            _ name: String, _ members: KeyedDecodingContainer<Member>,
            _ decode: (KeyedDecodingContainer<Member>, Member) throws -> Value
        ) throws -> Value {
            do {
                return try decode(members, Member(stringValue: name))
            } catch let error as DecodingError {
                throw error
            } catch {
                // Foundation's own error for a number that is too large for a `Double` has no place.
                throw DecodingError.dataCorrupted(
                    .init(codingPath: [], debugDescription: "\(name): expected a number of at most 1.8e308"))
            }
        }

        private static func named<Case: RawRepresentable & CaseIterable>(
            _ name: String, _ members: KeyedDecodingContainer<Member>
        ) throws -> Case? where Case.RawValue == String {
            guard let text = try members.decodeIfPresent(String.self, forKey: Member(stringValue: name)) else {
                return nil
            }
            if let result = Case(rawValue: text) { return result }
            let names = Case.allCases.map { "\"\($0.rawValue)\"" }.joined(separator: ", ")
            throw DecodingError.dataCorrupted(
                .init(codingPath: [], debugDescription: "\(name): unknown \"\(text)\": expected one of \(names)"))
        }
    }

    private struct Refusal: Encodable {
        var line: Int
        var error: String
    }

    /// Whether every line was answered. Empty lines are skipped, but counted.
    func run() throws -> Bool {
        var number = 0
        var refused = 0
        while let line = readLine(strippingNewline: true) {
            number += 1
            if line.allSatisfy(\.isWhitespace) { continue }
            do {
                Terminal.output.line(try PrivacyAnswer.line(try answer(line)))
            } catch {
                refused += 1
                let text = (error as? Failure)?.what ?? "\(error)"
                Terminal.output.line(try PrivacyAnswer.line(Refusal(line: number, error: text)))
            }
        }
        guard refused == 0 else {
            Terminal.diagnostics.line("\(refused) of \(number) lines were refused.")
            return false
        }
        return true
    }

    private func answer(_ line: String) throws -> PrivacyAnswer {
        let question = try EventText.decode(Question.self, from: Data(line.utf8))
        let options = options(question)
        try options.check(prefix: "")
        return PrivacyAnswer(try options.proof(of: question.event, delta: question.delta))
    }

    /// A line's own members, and the command's options where they apply to the accountant that the line asks for.
    private func options(_ question: Question) -> AccountantOptions {
        var options = defaults
        options.neighbours = question.neighbours ?? defaults.neighbours
        options.accountant = question.accountant ?? defaults.accountant
        let takesGrid = question.conversion == nil && (options.accountant ?? .pld) == .pld
        let takesConversion = question.gridStep == nil && (options.accountant ?? .renyi) == .renyi
        options.gridStep = question.gridStep ?? (takesGrid ? defaults.gridStep : nil)
        options.conversion = question.conversion ?? (takesConversion ? defaults.conversion : nil)
        return options
    }
}
