import Foundation

/// Gives each distinct text of a column a number, in the order of first sight, after normalising (NFC), cutting to the
/// largest number of bytes and mapping to the public domain. One worker's own; merged and sorted at the end.
final class TextInterner {
    struct Entry: BitwiseCopyable {
        var offset: Int
        var count: Int32
        /// The number of the text that this one becomes; itself if it stays; `null` if it becomes null.
        var resolved: Int32
        var hash: UInt32
        var isOutsideDomain = false
        var isCut = false

        /// Whether the text goes in as a text and nothing is to be counted.
        var isPlain: Bool { resolved >= 0 && !isOutsideDomain && !isCut }
    }

    static let null: Int32 = -1

    /// What finding a text needs, at one place in memory that does not move: readers use it without reference counting.
    struct Table {
        fileprivate(set) var entries: UnsafeMutablePointer<Entry>
        fileprivate var slots: UnsafeMutablePointer<Int32>
        fileprivate var mask: Int
        fileprivate var arena: UnsafeMutableRawPointer

        /// The number of the entry for these bytes as they stand in the file, if they were seen before.
        @inline(__always)
        func find(_ text: UnsafeRawBufferPointer, _ hash: UInt32) -> Int? {
            var place = Int(hash) & mask
            while true {
                let number = Int(slots[place])
                if number < 0 { return nil }
                let entry = entries[number]
                if entry.hash == hash, Int(entry.count) == text.count, isEqual(entry, text) { return number }
                place = (place + 1) & mask
            }
        }

        @inline(__always)
        private func isEqual(_ entry: Entry, _ text: UnsafeRawBufferPointer) -> Bool {
            guard let theirs = text.baseAddress else { return true }
            return memcmp(arena + entry.offset, theirs, text.count) == 0
        }
    }

    let table: UnsafeMutablePointer<Table>
    private(set) var count = 0
    private var entryCapacity = 32
    private var arenaCapacity = 1 << 12
    private var used = 0
    private let maximumBytes: Int
    private let cuts: Bool
    private let domain: Set<String>?
    private let other: String?

    /// `cuts`: whether texts that are too long are cut; else they are marked so and become null.
    init(schema: ColumnSchema, cuts: Bool = true) {
        self.cuts = cuts
        maximumBytes = schema.maximumBytes
        domain = schema.domain.map { values in
            Set(values.compactMap { if case .text(let text) = $0 { text.normalizedForKeys } else { nil } })
        }
        if case .text(let text) = schema.other { other = text.normalizedForKeys } else { other = nil }
        table = .allocate(capacity: 1)
        table.initialize(
            to: Table(
                entries: .allocate(capacity: entryCapacity), slots: .allocate(capacity: 64), mask: 63,
                arena: .allocate(byteCount: arenaCapacity, alignment: 16)))
        table.pointee.slots.initialize(repeating: -1, count: 64)
    }

    deinit {
        table.pointee.entries.deallocate()
        table.pointee.slots.deallocate()
        table.pointee.arena.deallocate()
        table.deallocate()
    }

    /// Forgets all texts and gives their memory back.
    func removeAll() {
        (count, used, entryCapacity, arenaCapacity) = (0, 0, 1, 1)
        table.pointee.entries.deallocate()
        table.pointee.slots.deallocate()
        table.pointee.arena.deallocate()
        table.initialize(
            to: Table(
                entries: .allocate(capacity: 1), slots: .allocate(capacity: 64), mask: 63,
                arena: .allocate(byteCount: 1, alignment: 16)))
        table.pointee.slots.initialize(repeating: -1, count: 64)
    }

    /// The memory that the texts take.
    var heldBytes: Int { arenaCapacity + entryCapacity * MemoryLayout<Entry>.stride + (table.pointee.mask + 1) * 4 }

    @inline(__always)
    func entry(_ number: Int) -> Entry { table.pointee.entries[number] }

    func bytes(of number: Int) -> UnsafeRawBufferPointer {
        let entry = entry(number)
        return UnsafeRawBufferPointer(start: table.pointee.arena + entry.offset, count: Int(entry.count))
    }

    /// The number of the entry for these bytes as they stand in the file; nil if they are not UTF-8.
    func number(of text: UnsafeRawBufferPointer) -> Int? {
        let hash = Self.hash(text)
        return table.pointee.find(text, hash) ?? add(text, hash)
    }

    /// Whether a text was seen, as it stands here.
    func has(_ text: String) -> Bool {
        var text = text
        return text.withUTF8 { utf8 in
            let bytes = UnsafeRawBufferPointer(utf8)
            return table.pointee.find(bytes, Self.hash(bytes)) != nil
        }
    }

    private func add(_ text: UnsafeRawBufferPointer, _ hash: UInt32) -> Int? {
        let isASCII = text.allSatisfy { $0 < 0x80 }
        if isASCII, text.count <= maximumBytes, domain == nil {
            let number = insert(text, hash)
            table.pointee.entries[number].resolved = Int32(number)
            return number
        }
        guard let decoded = String(validating: text, as: UTF8.self) else { return nil }
        let normal = isASCII ? decoded : decoded.precomposedStringWithCanonicalMapping
        let cut = normal.prefixOfBytes(maximumBytes)
        let number = insert(text, hash)
        if !cuts, cut.utf8.count < normal.utf8.count {
            table.pointee.entries[number].isCut = true
            return number
        }
        let isOutside = domain.map { !$0.contains(cut) } ?? false
        let final = isOutside ? other : cut
        let resolved = final.map { resolve($0) } ?? Self.null
        table.pointee.entries[number].isCut = cut.utf8.count < normal.utf8.count
        table.pointee.entries[number].isOutsideDomain = isOutside
        table.pointee.entries[number].resolved = resolved
        return number
    }

    /// The number of a final text: one that stays as it is.
    private func resolve(_ text: String) -> Int32 {
        var text = text
        return text.withUTF8 { utf8 in
            let bytes = UnsafeRawBufferPointer(utf8)
            let hash = Self.hash(bytes)
            let final = table.pointee.find(bytes, hash) ?? insert(bytes, hash)
            table.pointee.entries[final].resolved = Int32(final)
            return Int32(final)
        }
    }

    private func insert(_ text: UnsafeRawBufferPointer, _ hash: UInt32) -> Int {
        reserve(bytes: text.count)
        if let base = text.baseAddress { (table.pointee.arena + used).copyMemory(from: base, byteCount: text.count) }
        let number = count
        table.pointee.entries[number] = Entry(
            offset: used, count: Int32(text.count), resolved: Self.null, hash: hash)
        count += 1
        used += text.count
        if count * 2 > table.pointee.mask { growSlots() } else { place(number) }
        return number
    }

    /// Room for one more entry of that many bytes.
    private func reserve(bytes: Int) {
        if used + bytes > arenaCapacity {
            arenaCapacity = max(arenaCapacity * 2, used + bytes)
            let larger = UnsafeMutableRawPointer.allocate(byteCount: arenaCapacity, alignment: 16)
            larger.copyMemory(from: table.pointee.arena, byteCount: used)
            table.pointee.arena.deallocate()
            table.pointee.arena = larger
        }
        if count == entryCapacity {
            entryCapacity *= 2
            let larger = UnsafeMutablePointer<Entry>.allocate(capacity: entryCapacity)
            larger.update(from: table.pointee.entries, count: count)
            table.pointee.entries.deallocate()
            table.pointee.entries = larger
        }
    }

    private func place(_ number: Int) {
        let table = table.pointee
        var place = Int(table.entries[number].hash) & table.mask
        while table.slots[place] >= 0 { place = (place + 1) & table.mask }
        table.slots[place] = Int32(number)
    }

    private func growSlots() {
        let size = (table.pointee.mask + 1) * 4
        table.pointee.slots.deallocate()
        table.pointee.slots = .allocate(capacity: size)
        table.pointee.slots.initialize(repeating: -1, count: size)
        table.pointee.mask = size - 1
        for number in 0..<count { place(number) }
    }

    /// Not keyed: it only finds places in a table of the owner's own texts.
    @inline(__always)
    static func hash(_ text: UnsafeRawBufferPointer) -> UInt32 {
        guard let start = text.baseAddress, text.count > 0 else { return 0 }
        let count = text.count
        var state = UInt64(truncatingIfNeeded: count) &* 0x9e37_79b9_7f4a_7c15
        var last: UInt64
        if count >= 8 {
            var i = 0
            while i < count - 8 {
                state = mix(state ^ start.loadUnaligned(fromByteOffset: i, as: UInt64.self))
                i += 8
            }
            // The last word overlaps the one before it.
            last = start.loadUnaligned(fromByteOffset: count - 8, as: UInt64.self)
        } else if count >= 4 {
            last = UInt64(start.loadUnaligned(as: UInt32.self))
            last |= UInt64(start.loadUnaligned(fromByteOffset: count - 4, as: UInt32.self)) << 32
        } else {
            last = UInt64(text[0]) | UInt64(text[count / 2]) << 8 | UInt64(text[count - 1]) << 16
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
    /// Normalisation form C, in which texts are stored and compared (docs/privacy.md, rule 16).
    public var normalizedForKeys: String {
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
