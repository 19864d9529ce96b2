import Foundation
import Marketplace

/// A task's terms as a sponsor writes them: times are counted from when the draft is sent.
struct TermsFile: Codable {
    struct Goal: Codable {
        var metric: String
        var direction: Direction
        var baseline: Double
        var target: Double
        var step: Double
        /// 64 hexadecimal digits: a commitment to the validation rows.
        var validation: String
        var evaluations: Int
        var evaluationsEach: Int
        var finalists: Int
    }

    struct Formula: Codable {
        var ancestorShare: Double
        var significance: Double
        var pricePerBillion: Int64
        var computationEach: Int64
    }

    struct Schedule: Codable {
        var openWithin: String
        var proposals: String
        var reveal: String
        var revealDelay: String
        var training: String
        var declaration: String
        var checkpoint: String
        var challenge: String
        var ruling: String
        var claims: String
    }

    var purpose: String
    var rules: String
    var pot: TaskTerms.Pot
    var goal: Goal
    var formula: Formula
    var gains: TaskTerms.FraudGains
    var referees: [PartyName]
    var quorum: Int
    var fee: Int64
    var schedule: Schedule

    /// What a sponsor begins with.
    static let template = """
        {
          "purpose": "A model that tells pneumonia on chest X-rays of children.",
          "rules": "Accuracy on validation rows that stay in the sponsor's datasite, by noisy counts, with feedback through the Ladder.",
          "pot": {"data": 60000, "computation": 20000, "expertise": 40000},
          "goal": {
            "metric": "accuracy", "direction": "higherIsBetter", "baseline": 0.74, "target": 0.86, "step": 0.005,
            "validation": "0000000000000000000000000000000000000000000000000000000000000000",
            "evaluations": 8, "evaluationsEach": 4, "finalists": 2
          },
          "formula": {"ancestorShare": 0.25, "significance": 3, "pricePerBillion": 10000, "computationEach": 8000},
          "gains": {"scientist": 4000, "owner": 3000, "provider": 8000, "dispute": 1000},
          "referees": ["rae", "rex", "rob"], "quorum": 2, "fee": 600,
          "schedule": {
            "openWithin": "1d", "proposals": "2d", "reveal": "1d", "revealDelay": "1h", "training": "14d",
            "declaration": "5d", "checkpoint": "1d", "challenge": "3d", "ruling": "2d", "claims": "7d"
          }
        }
        """

    static func read(_ path: String) throws -> TermsFile {
        let text = try readText(path)
        do {
            let file = try JSONDecoder().decode(TermsFile.self, from: Data(text.utf8))
            // What is written and not read would be believed to count.
            if let unknown = unknownKey(in: text) {
                throw Failure(
                    PrintableText.escape("\(path): there is no \(unknown) in terms."),
                    next: "parley market terms prints all that there is.")
            }
            return file
        } catch let error as DecodingError {
            throw Failure(
                PrintableText.escape("\(path): \(Self.words(error))"),
                next: "parley market terms prints one to begin with.")
        }
    }

    private static func unknownKey(in text: String) -> String? {
        func first(_ given: Any, _ known: Any, _ place: String) -> String? {
            guard let given = given as? [String: Any], let known = known as? [String: Any] else { return nil }
            for key in given.keys.sorted() {
                guard let inner = known[key] else { return place + key }
                if let found = first(given[key] ?? "", inner, place + key + ".") { return found }
            }
            return nil
        }
        guard let given = try? JSONSerialization.jsonObject(with: Data(text.utf8)),
            let known = try? JSONSerialization.jsonObject(with: Data(template.utf8))
        else { return nil }
        return first(given, known, "")
    }

    private static func words(_ error: DecodingError) -> String {
        func place(_ context: DecodingError.Context, _ key: (any CodingKey)? = nil) -> String {
            (context.codingPath + [key].compactMap { $0 }).map(\.stringValue).joined(separator: ".")
        }
        return switch error {
        case .keyNotFound(let key, let context): "\(place(context, key)) is missing"
        case .typeMismatch(_, let context), .valueNotFound(_, let context):
            "\(place(context)) is of another kind than in the template"
        case .dataCorrupted(let context):
            context.codingPath.isEmpty ? "expected JSON" : "\(place(context)): \(context.debugDescription)"
        @unknown default: "expected JSON as in the template"
        }
    }

    /// The terms, from a time on.
    func terms(from start: Int64, file: String) throws -> TaskTerms {
        func failure(_ field: String, _ expected: String) -> Failure {
            Failure(PrintableText.escape("\(file): \(field): expected \(expected)."))
        }
        func score(_ field: String, _ value: Double) throws -> Score {
            guard let score = Score(value) else { throw failure(field, "a number up to a million") }
            return score
        }
        func thousandths(_ field: String, _ value: Double, _ most: Double) throws -> Int64 {
            guard (0...most).contains(value) else { throw failure(field, "0 to \(NumberText.significant(most))") }
            return Int64((value * 1_000).rounded())
        }
        func seconds(_ field: String, _ text: String) throws -> Int64 {
            guard let seconds = TimeText.seconds(text) else {
                throw failure("schedule.\(field)", "a time such as 90s, 30m, 12h or 7d, of at most 3650d")
            }
            return seconds
        }
        guard let validation = Digest256(hex: goal.validation) else {
            throw failure("goal.validation", "64 hexadecimal digits, a commitment to the validation rows")
        }
        let open = start + (try seconds("openWithin", schedule.openWithin))
        let proposals = open + (try seconds("proposals", schedule.proposals))
        let reveal = proposals + (try seconds("reveal", schedule.reveal))
        let training = reveal + (try seconds("training", schedule.training))
        return TaskTerms(
            rules: .sha256(Array("\(purpose)\n\(rules)".utf8)), pot: pot,
            goal: .init(
                metric: .sha256(Array(goal.metric.utf8)), direction: goal.direction,
                baseline: try score("goal.baseline", goal.baseline), target: try score("goal.target", goal.target),
                step: try score("goal.step", goal.step), validation: validation, evaluations: goal.evaluations,
                evaluationsEach: goal.evaluationsEach, finalists: goal.finalists),
            formula: .init(
                ancestorThousandths: try thousandths("formula.ancestorShare", formula.ancestorShare, 1),
                significanceThousandths: try thousandths("formula.significance", formula.significance, 10),
                price: formula.pricePerBillion, computationEach: formula.computationEach),
            gains: gains, court: .init(referees: referees, quorum: quorum, fee: fee),
            schedule: .init(
                openBy: open, proposalsUntil: proposals, revealUntil: reveal,
                revealDelay: try seconds("revealDelay", schedule.revealDelay), trainUntil: training,
                declareUntil: training + (try seconds("declaration", schedule.declaration)),
                checkpointPatience: try seconds("checkpoint", schedule.checkpoint),
                challengeWindow: try seconds("challenge", schedule.challenge),
                rulingWindow: try seconds("ruling", schedule.ruling),
                claimWindow: try seconds("claims", schedule.claims)))
    }
}

/// Lengths of time as people write them.
enum TimeText {
    static func seconds(_ text: String) -> Int64? {
        let units: [Character: Int64] = ["s": 1, "m": 60, "h": 3_600, "d": 86_400]
        guard let unit = text.last.flatMap({ units[$0] }), let number = Int64(text.dropLast()), number > 0,
            number <= 3_650 * 86_400 / unit
        else { return nil }
        return number * unit
    }

    /// A length of time, for a person.
    static func length(_ seconds: Int64) -> String {
        switch seconds {
        case ..<120: "\(seconds) s"
        case ..<7_200: "\(seconds / 60) min"
        case ..<172_800: "\(seconds / 3_600) h"
        default: "\(seconds / 86_400) days"
        }
    }

    /// A moment, and how far it is.
    static func moment(_ time: Int64, from now: Int64) -> String {
        let date = Date(timeIntervalSince1970: Double(time)).formatted(.iso8601)
        return time > now ? "\(date), in \(length(time - now))" : "\(date), over"
    }
}
