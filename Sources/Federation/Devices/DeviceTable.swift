internal import Foundation

/// Which devices were admitted lately, to which cycle each the last time, and what became of it: 40 bytes a device.
struct DeviceTable: Sendable {
    /// What became of a place.
    enum Standing: UInt8, Sendable {
        /// At work.
        case open
        /// Its report is in the sum.
        case counted
        /// Given back, or refused.
        case spent
    }

    struct Entry: Sendable, Hashable {
        let attempt: Int32
        var standing: Standing
    }

    private var entries: [DeviceKey: Entry] = [:]

    var count: Int { entries.count }

    subscript(device: DeviceKey) -> Entry? { entries[device] }

    mutating func admit(_ device: DeviceKey, to attempt: Int) {
        entries[device] = Entry(attempt: Int32(attempt), standing: .open)
    }

    mutating func close(_ device: DeviceKey, as standing: Standing) { entries[device]?.standing = standing }

    /// Forgets who was admitted to earlier cycles only.
    mutating func forget(before attempt: Int) { entries = entries.filter { $0.value.attempt >= attempt } }

    /// Who is at work in a cycle, in the order of keys.
    func atWork(in attempt: Int) -> [DeviceKey] {
        entries.filter { $0.value.attempt == attempt && $0.value.standing == .open }.keys.sorted()
    }
}

extension DeviceTable: Codable {
    private static let entryBytes = 40

    /// - Throws: For bytes that are no table: of another length, not in order, or with an unknown standing.
    init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let bytes = try container.decode(Data.self)
        func refusal(_ words: String) -> DecodingError {
            DecodingError.dataCorruptedError(in: container, debugDescription: "a table of devices: expected \(words)")
        }
        guard bytes.count % Self.entryBytes == 0 else { throw refusal("\(Self.entryBytes) bytes a device") }
        entries.reserveCapacity(bytes.count / Self.entryBytes)
        var last: DeviceKey?
        for start in stride(from: bytes.startIndex, to: bytes.endIndex, by: Self.entryBytes) {
            guard let key = DeviceKey(bytes[start..<start + 32]), last.map({ $0 < key }) ?? true else {
                throw refusal("each device once, in order")
            }
            let number = bytes[start + 32..<start + 40].withUnsafeBytes { $0.loadUnaligned(as: Int64.self) }
            let attempt = number >> 8
            guard let standing = Standing(rawValue: UInt8(truncatingIfNeeded: number)), attempt >= 0,
                attempt <= Int32.max
            else { throw refusal("a cycle and what became of it") }
            entries[key] = Entry(attempt: Int32(attempt), standing: standing)
            last = key
        }
    }

    func encode(to encoder: any Encoder) throws {
        var bytes = Data(capacity: Self.entryBytes * entries.count)
        for (key, entry) in entries.sorted(by: { $0.key < $1.key }) {
            bytes.append(key.bytes)
            withUnsafeBytes(of: Int64(entry.attempt) << 8 | Int64(entry.standing.rawValue)) {
                bytes.append(contentsOf: $0)
            }
        }
        var container = encoder.singleValueContainer()
        try container.encode(bytes)
    }
}
