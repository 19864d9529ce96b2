import Marketplace

/// The readers of a market's entries, of its log and of a chain's encoding: what is read is written again with the same bytes, and a refusal says where.
enum MarketTarget {
    static func violations(_ input: [UInt8]) -> [String] {
        entry(SignedEntry.self, input) + entry(BookEntry.self, input) + lists(input) + log(input)
    }

    private static func entry<Entry: JournalEntry>(_ type: Entry.Type, _ input: [UInt8]) -> [String] {
        do throws(MalformedEntry) {
            return try Entry(journalBytes: input).journalBytes == input
                ? [] : ["\(type): written with other bytes than were read"]
        } catch {
            return (0...input.count).contains(error.offset) && !error.expected.isEmpty
                ? [] : ["\(type): a refusal without a place or words"]
        }
    }

    private static func lists(_ input: [UInt8]) -> [String] {
        guard let item = RLP(input) else { return [] }
        return item.encoded == input ? [] : ["RLP: written with other bytes than were read"]
    }

    /// The first 32 bytes say whose log it is. What is whole is written again with the same bytes, and what is cut is read as whole.
    private static func log(_ input: [UInt8]) -> [String] {
        guard let beginning = Digest256(input.prefix(EntryLog.prefixCount)) else { return [] }
        do throws(EntryLogError) {
            var (count, last) = (0, LogPosition(count: 0, digest: beginning))
            let contents = try EntryLog.read(input, beginning: beginning) { entry, position throws(EntryLogError) in
                (count, last) = (count + 1, position)
            }
            guard contents.end == last, count == last.count, contents.byteCount <= input.count,
                contents.isTorn == (contents.byteCount < input.count)
            else { return ["log: what was read is not what was said to be there"] }
            guard contents.byteCount >= EntryLog.prefixCount else { return ["log: less than its beginning is left"] }
            let cut = Array(input.prefix(contents.byteCount))
            let again = try EntryLog.read(cut, beginning: beginning) { _, _ throws(EntryLogError) in }
            return again.end == last && !again.isTorn ? [] : ["log: torn again after it was cut"]
        } catch { return error.description.isEmpty ? ["log: a refusal without words"] : [] }
    }
}
