import DatasiteProtocol
import Governance
import Query

@testable import Datasite

/// An owner's manifest or policy: read whole and without problems, or refused in words.
enum ManifestTarget {
    static func violations(_ input: [UInt8]) -> [String] {
        let text = String(decoding: input, as: UTF8.self)
        return reading { try ManifestDocument(text).manifest.problems() }
            + reading {
                try PolicyReader.document(text).problems()
            }
    }

    private static func reading<Problems: Collection>(_ read: () throws -> Problems) -> [String] {
        do {
            return try read().isEmpty ? [] : ["it was read in spite of its problems"]
        } catch let problem as Problem {
            return problem.detail.isEmpty || problem.detail.utf8.count > 100_000 ? ["an error of no use"] : []
        } catch {
            return ["an error that is no problem document"]
        }
    }
}
