import Foundation

/// Gives each distinct text of a column a number, in the order of first sight, after normalising (NFC), cutting to the
/// largest number of bytes and mapping to the public domain. One worker's own; merged and sorted at the end.
final class TextInterner {
    struct Entry {
        var offset: Int
        var count: Int32
        /// The number of the text that this one becomes; itself if it stays; `null` if it becomes null.
        var resolved: Int32
        var hash: UInt32
        var isOutsideDomain = false
        var isCut = false
    }

    static let null: Int32 = -1

    private(set) var entries: [Entry] = []
    private var arena: UnsafeMutableRawBufferPointer
    private var used = 0
    private var slots: [Int32]
    private let maximumBytes: Int
    private let domain: Set<String>?
    private let other: String?

    init(schema: ColumnSchema) {
        maximumBytes = schema.maximumBytes
        domain = schema.domain.map { values in
            Set(values.compactMap { if case .text(let text) = $0 { text.normalizedForKeys } else { nil } })
        }
        if case .text(let text) = schema.other { other = text.normalizedForKeys } else { other = nil }
        arena = .allocate(byteCount: 1 << 12, alignment: 16)
        slots = [Int32](repeating: -1, count: 64)
    }

    deinit {
        arena.deallocate()
    }

    /// The memory that the texts take.
    var heldBytes: Int { arena.count + entries.capacity * MemoryLayout<Entry>.stride + slots.count * 4 }

    func bytes(of entry: Entry) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(rebasing: arena[entry.offset..<entry.offset + Int(entry.count)])
    }

    /// The number of the entry for these bytes as they stand in the file; nil if they are not UTF-8.
    @inline(__always)
    func entry(for text: UnsafeRawBufferPointer) -> Int? {
        let hash = Self.hash(text)
        if let found = find(text, hash) { return found }
        return add(text, hash)
    }

    private func find(_ text: UnsafeRawBufferPointer, _ hash: UInt32) -> Int? {
        let mask = slots.count - 1
        var place = Int(hash) & mask
        return slots.withUnsafeBufferPointer { slots in
            entries.withUnsafeBufferPointer { entries in
                while slots[place] >= 0 {
                    let number = Int(slots[place])
                    let entry = entries[number]
                    if entry.hash == hash, Int(entry.count) == text.count, isEqual(entry, text) { return number }
                    place = (place + 1) & mask
                }
                return nil
            }
        }
    }

    @inline(__always)
    private func isEqual(_ entry: Entry, _ text: UnsafeRawBufferPointer) -> Bool {
        guard let mine = arena.baseAddress, let theirs = text.baseAddress else { return text.isEmpty }
        return memcmp(mine + entry.offset, theirs, text.count) == 0
    }

    private func add(_ text: UnsafeRawBufferPointer, _ hash: UInt32) -> Int? {
        let isASCII = text.allSatisfy { $0 < 0x80 }
        if isASCII, text.count <= maximumBytes, domain == nil {
            let number = insert(text, hash)
            entries[number].resolved = Int32(number)
            return number
        }
        guard let decoded = String(validating: text, as: UTF8.self) else { return nil }
        let normal = isASCII ? decoded : decoded.precomposedStringWithCanonicalMapping
        let cut = normal.prefixOfBytes(maximumBytes)
        let number = insert(text, hash)
        entries[number].isCut = cut.utf8.count < normal.utf8.count
        var final: String? = cut
        if let domain, !domain.contains(cut) {
            entries[number].isOutsideDomain = true
            final = other
        }
        entries[number].resolved = final.map { resolve($0, from: number) } ?? Self.null
        return number
    }

    /// The number of a final text: one that stays as it is.
    private func resolve(_ text: String, from number: Int) -> Int32 {
        var text = text
        return text.withUTF8 { utf8 in
            let bytes = UnsafeRawBufferPointer(utf8)
            let hash = Self.hash(bytes)
            let final = find(bytes, hash) ?? insert(bytes, hash)
            entries[final].resolved = Int32(final)
            return Int32(final)
        }
    }

    private func insert(_ text: UnsafeRawBufferPointer, _ hash: UInt32) -> Int {
        if used + text.count > arena.count {
            let larger = UnsafeMutableRawBufferPointer.allocate(
                byteCount: max(arena.count * 2, used + text.count), alignment: 16)
            larger.copyMemory(from: UnsafeRawBufferPointer(rebasing: arena[..<used]))
            arena.deallocate()
            arena = larger
        }
        UnsafeMutableRawBufferPointer(rebasing: arena[used...]).copyMemory(from: text)
        let number = entries.count
        entries.append(Entry(offset: used, count: Int32(text.count), resolved: Self.null, hash: hash))
        used += text.count
        if entries.count * 2 > slots.count { grow() } else { place(number) }
        return number
    }

    private func place(_ number: Int) {
        let mask = slots.count - 1
        var place = Int(entries[number].hash) & mask
        while slots[place] >= 0 { place = (place + 1) & mask }
        slots[place] = Int32(number)
    }

    private func grow() {
        slots = [Int32](repeating: -1, count: slots.count * 4)
        for number in entries.indices { place(number) }
    }

    /// Not keyed: it only finds places in a table of the owner's own texts.
    @inline(__always)
    private static func hash(_ text: UnsafeRawBufferPointer) -> UInt32 {
        var state = UInt64(truncatingIfNeeded: text.count) &* 0x9e37_79b9_7f4a_7c15
        var i = 0
        while i + 8 <= text.count {
            state = mix(state ^ text.loadUnaligned(fromByteOffset: i, as: UInt64.self))
            i += 8
        }
        var last: UInt64 = 0
        while i < text.count {
            last = last << 8 | UInt64(text[i])
            i += 1
        }
        return UInt32(truncatingIfNeeded: mix(state ^ last) >> 32)
    }

    @inline(__always)
    private static func mix(_ word: UInt64) -> UInt64 {
        let product = word.multipliedFullWidth(by: 0xd6e8_feb8_6659_fd93)
        return product.high ^ product.low
    }
}

extension String {
    /// Normalisation form C, in which texts are stored and compared (PRIVACY.md, rule 16).
    var normalizedForKeys: String {
        utf8.allSatisfy { $0 < 0x80 } ? self : precomposedStringWithCanonicalMapping
    }

    /// The longest prefix of whole Unicode scalars with at most that many UTF-8 bytes.
    func prefixOfBytes(_ limit: Int) -> String {
        guard utf8.count > limit else { return self }
        var end = utf8.index(startIndex, offsetBy: Swift.max(limit, 0))
        while end > startIndex, utf8[end] & 0xc0 == 0x80 { end = utf8.index(before: end) }
        return String(self[..<end])
    }
}
