import DatasiteProtocol
import Foundation
import Governance
import Query
import Tables
import Testing

@testable import Datasite

#if os(Linux)
    @Suite("What a synthetic table holds in memory is bounded before a row is read", .serialized)
    struct SynthesisMemoryTests {
        /// A table that is dear in one respect, in full: a shape that this file knows by name.
        enum Shape: String, Codable, CaseIterable, Sendable {
            /// As many columns as are made, each in as many groups as there are, and as many values.
            case manyColumns
            /// Texts of a hundred bytes, of which JSON escapes some.
            case longTexts
            /// Domains of integers that lie far apart, each coded by a table.
            case wideDomains

            /// The rows of the synthetic table that is asked for.
            var rows: Int { self == .manyColumns ? 100_000 : 8_000 }

            var columns: [String] {
                switch self {
                case .manyColumns: (0..<128).map { "{name: c\($0), type: integer, bounds: [0, 100]}" }
                case .longTexts:
                    (0..<9).map { column in
                        let domain = (0..<30).map { "'\(Self.text($0))'" }.joined(separator: ", ")
                        return "{name: c\(column), type: category, domain: [\(domain)]}"
                    }
                case .wideDomains: (0..<40).map { "{name: c\($0), type: integer, domain: [0, 1048000]}" }
                }
            }

            private static func text(_ number: Int) -> String { String(repeating: "é\\", count: 33) + "\(number)" }

            func value(_ row: Int) -> String {
                switch self {
                case .manyColumns: "\(row * 7 % 101)"
                case .longTexts: Self.text(row % 30)
                case .wideDomains: row % 2 == 0 ? "0" : "1048000"
                }
            }

            func manifest(rows: Int) -> String {
                """
                name: wide
                population: people
                unit: {column: person, rows: 1}
                capacity: {rows: \(rows)}
                policy: {loss: pure, total: {epsilon: 100000}}
                columns:
                  - {name: person, type: integer, nullable: false}
                \(columns.map { "  - " + $0 }.joined(separator: "\n"))
                """
            }

            func file(rows: Int) -> String {
                let names = columns.indices.map { "c\($0)" }
                return
                    (["person," + names.joined(separator: ",")]
                    + (0..<rows).map { row in
                        "\(row)" + columns.indices.map { "," + value(row + $0) }.joined()
                    }).joined(separator: "\n") + "\n"
            }
        }

        /// Kilobytes of this process, from the system's account of it.
        private static func kilobytes(_ name: String) throws -> Int {
            let status = try String(contentsOfFile: "/proc/self/status", encoding: .utf8)
            let line = try #require(status.split(separator: "\n").first { $0.hasPrefix(name + ":") })
            return try #require(line.split(separator: " ").dropLast().last.flatMap { Int($0) })
        }

        static func measure(_ shape: Shape) async throws {
            let rows = 4_000
            let path = FileManager.default.temporaryDirectory.path + "/parley-memory-" + UUID().uuidString
            defer { try? FileManager.default.removeItem(atPath: path) }
            try Datasite.create(at: path, name: "memory", limits: .reference)
            var configuration = TestSite.configuration(TestClock())
            configuration.threads = 1
            let site = try Datasite(path: path, configuration: configuration)
            try Data(shape.file(rows: rows).utf8).write(to: URL(filePath: path + "/wide.csv"))
            _ = try site.addDataset(file: path + "/wide.csv", manifestText: shape.manifest(rows: rows))
            let request = SynthesisRequest(dataset: "wide", budget: .epsilon(90_000), rows: shape.rows)
            let knowledge = PublicKnowledge(catalogue: try site.catalogue())
            let bound = try SynthesisWork(body: request.body, in: knowledge).bound.memory
            try Data("5".utf8).write(to: URL(filePath: "/proc/self/clear_refs"))
            let before = try kilobytes("VmHWM")
            let report = try await site.synthesize(request)
            let taken = Double(try kilobytes("VmHWM") - before) * 1_024
            #expect(report.rows == min(shape.rows, 1_000_000 / (shape.columns.count + 1)))
            #expect(taken <= bound, "\(shape) took \(taken)")
            // Of a bound that is far too large nobody could say whether it still holds.
            #expect(taken >= bound / 5, "\(shape) took \(taken)")
        }

        @Test("At the declared capacity, with as many rows and columns as there can be", arguments: Shape.allCases)
        func peak(_ shape: Shape) async {
            await #expect(processExitsWith: .success) {
                [shape = shape as Shape] in
                try await SynthesisMemoryTests.measure(shape)
            }
        }
    }
#endif
