import DatasiteProtocol
import Foundation
import Tables

@testable import Datasite

/// A file of any kind is drafted or refused, and what is drafted loads: both go by one reader.
enum DraftTarget {
    static func violations(_ input: [UInt8]) -> [String] {
        guard let first = input.first else { return [] }
        let folder = "/tmp/parley-fuzz-draft-\(UUID().uuidString)"
        try? FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let path = folder + "/t." + ["csv", "ndjson", "tsv", "txt"][Int(first & 3)]
        guard FileManager.default.createFile(atPath: path, contents: Data(input.dropFirst())) else { return [] }
        var options = DraftOptions()
        if first & 4 != 0 { options.missing = ["NA", ".", "-9"] }
        if first & 8 != 0 { (options.decimal, options.thousands) = (",", ".") }
        if first & 16 != 0 { options.encoding = first & 32 == 0 ? "windows-1252" : "utf-16" }
        let draft: ManifestDraft
        do { draft = try ManifestDraft(path, options) } catch is Problem { return [] } catch {
            return ["a draft throws \(type(of: error))"]
        }
        do {
            let document = try ManifestDocument(complete(draft.text))
            try FileColumns.check(path, against: document)
            var options = IngestOptions()
            (options.form, options.threads, options.blockBytes) = (document.form, 1, 1 << 10)
            try ingest(
                file: path, manifest: document.manifest,
                key: ClusteringKey(siteSecret: Array(repeating: 0, count: 32), population: "people"),
                into: folder + "/table", options: options)
        } catch {
            // Of rows of another length the owner was told.
            if draft.notes.contains(where: { $0.contains("`data add` refuses the file there") }) { return [] }
            return ["what was drafted does not load: \(error)"]
        }
        return []
    }

    /// A draft with each row a unit, and without what is left open.
    private static func complete(_ draft: String) -> String {
        let lines = draft.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        let columns = (lines.firstIndex(of: "columns:") ?? 0) + 1
        let head = lines[..<columns].filter { line in
            ["missing:", "numbers:", "encoding:", "ignore:", "  - "].contains { line.hasPrefix($0) }
        }
        return """
            name: t
            population: people
            unit: row
            capacity: {rows: 100000, units: 100000}
            policy: {loss: pure, total: {epsilon: 1}}

            """ + (head + ["columns:"] + lines[columns...].filter { !$0.contains("SET") }).joined(separator: "\n")
    }
}
