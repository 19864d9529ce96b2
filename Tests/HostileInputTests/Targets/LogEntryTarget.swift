import DatasiteProtocol

/// Entries of a site's log, and what a proof carries along: what is read has one form, and is of one release.
enum LogEntryTarget {
    static func violations(_ input: [UInt8]) -> [String] {
        var found: [String] = []
        do throws(JSONError) {
            let entry = try LogEntry(decoding: input)
            if entry.bytes != input { found.append("an entry is written with other bytes than were read") }
            if let count = entry.count, LogEntry.refusals(count.number, on: count.day) != entry {
                found.append("a count of refusals is another one than it says")
            }
        } catch { if error.description.isEmpty { found.append("a refusal without words") } }
        do throws(JSONError) {
            let carried = try ReceiptProof(decoding: input)
            if !carried.entry.agrees(with: carried.receipt) { found.append("a receipt of another release is taken") }
        } catch { if error.description.isEmpty { found.append("a refusal without words") } }
        do throws(JSONError) {
            let opening = try LogOpening(decoding: input)
            if opening.extra != input { found.append("an opening is written with other bytes than were read") }
        } catch { if error.description.isEmpty { found.append("a refusal without words") } }
        return found
    }
}
