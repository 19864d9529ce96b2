import DatasiteProtocol
import Foundation

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// The receipts that this user holds, with the answers that they vouch for: what proves later what a datasite said,
/// and, since a restored backup has forgotten it, that it went back in time.
///
/// `$XDG_DATA_HOME/parley/receipts` (else `~/.local/share/parley/receipts`), a file a receipt, mode 0600.
struct KeptReceipts {
    struct Entry {
        var url: String
        var receipt: Receipt
        var answer: [UInt8]
    }

    /// As a file: the receipt is the object that was signed, whatever its version; the answer's exact bytes, over which the
    /// receipt's digest is, are base64.
    private static func encode(_ entry: Entry) throws -> [UInt8] {
        let receipt = try JSONSerialization.jsonObject(with: Data(entry.receipt.encoded))
        return Array(
            try JSONSerialization.data(withJSONObject: [
                "url": entry.url, "receipt": receipt, "answer": Data(entry.answer).base64EncodedString(),
            ]))
    }

    /// nil if it is none.
    private static func decode(_ bytes: [UInt8]) -> Entry? {
        guard let stored = try? JSONSerialization.jsonObject(with: Data(bytes)) as? [String: Any],
            let url = stored["url"] as? String, let object = stored["receipt"],
            let answer = (stored["answer"] as? String).flatMap({ Data(base64Encoded: $0) }),
            let signed = try? JSONSerialization.data(withJSONObject: object),
            let receipt = try? Receipt(decoding: Array(signed))
        else { return nil }
        return Entry(url: url, receipt: receipt, answer: Array(answer))
    }

    let folder: String
    /// What was seen of sites' logs, a file a site.
    var logs: String { URL(filePath: folder).deletingLastPathComponent().path + "/logs" }

    init(environment: [String: String] = ProcessInfo.processInfo.environment) {
        if let base = environment["XDG_DATA_HOME"], base.hasPrefix("/") {
            folder = base + "/parley/receipts"
        } else {
            folder = (environment["HOME"] ?? NSHomeDirectory()) + "/.local/share/parley/receipts"
        }
    }

    /// Makes the folder, if it can be written to.
    func prepare() throws(Failure) {
        try PrivateFile.makeFolder(folder)
        guard access(folder, W_OK | X_OK) == 0 else {
            throw Failure(
                "Cannot write to \(folder), where receipts are kept: \(String(cString: strerror(errno))).",
                next: "Nothing was asked. Change its permissions, or set $XDG_DATA_HOME to a folder of yours.")
        }
    }

    func keep(_ entry: Entry) throws(Failure) {
        try PrivateFile.makeFolder(folder)
        guard let bytes = try? Self.encode(entry) else { throw Failure("Cannot encode the receipt.") }
        try PrivateFile.write(bytes, to: "\(folder)/\(fileName(entry.receipt)).json")
    }

    /// All of them, by time. What cannot be read is passed over: a damaged file must not hide the others.
    func all() -> [Entry] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        let entries = names.filter { $0.hasSuffix(".json") }.compactMap { name -> Entry? in
            (try? PrivateFile.read("\(folder)/\(name)")).flatMap(Self.decode)
        }
        return entries.sorted {
            ($0.receipt.body.time, $0.receipt.body.journalIndex) < ($1.receipt.body.time, $1.receipt.body.journalIndex)
        }
    }

    /// A request's identifier comes from the datasite: only what is safe in a file name is used of it.
    private func fileName(_ receipt: Receipt) -> String {
        let allowed = receipt.body.request.unicodeScalars.filter {
            ("a"..."z").contains($0) || ("A"..."Z").contains($0) || ("0"..."9").contains($0) || $0 == "-" || $0 == "_"
        }
        return "\(receipt.body.journalIndex)-" + String(String.UnicodeScalarView(allowed.prefix(64)))
    }
}
