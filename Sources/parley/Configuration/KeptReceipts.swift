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

    private struct Stored: Codable {
        var url: String
        var receipt: Receipt
        /// The answer's exact bytes, base64: the receipt's digest is over these.
        var answer: Data
    }

    let folder: String

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
        let stored = Stored(url: entry.url, receipt: entry.receipt, answer: Data(entry.answer))
        guard let bytes = try? JSONEncoder().encode(stored) else { throw Failure("Cannot encode the receipt.") }
        try PrivateFile.write(Array(bytes), to: "\(folder)/\(fileName(entry.receipt)).json")
    }

    /// All of them, by time. What cannot be read is passed over: a damaged file must not hide the others.
    func all() -> [Entry] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        let entries = names.filter { $0.hasSuffix(".json") }.compactMap { name -> Entry? in
            guard let bytes = try? PrivateFile.read("\(folder)/\(name)"),
                let stored = try? JSONDecoder().decode(Stored.self, from: Data(bytes))
            else { return nil }
            return Entry(url: stored.url, receipt: stored.receipt, answer: Array(stored.answer))
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
