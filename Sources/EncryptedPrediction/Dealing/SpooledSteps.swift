internal import Foundation

/// Correlations on their way from a dealer to a run: step by step, in a file without a name that vanishes with this process, since they are as secret as inputs and may be gigabytes.
public final class SpooledSteps {
    private let handle: FileHandle
    private var places: [Int: (offset: UInt64, count: Int)] = [:]
    private var end: UInt64 = 0

    /// - Parameter directory: Where there is room; the file is for its owner alone.
    /// - Throws: That it cannot be made.
    public init(in directory: String) throws {
        let path = directory + "/correlations.\(UUID().uuidString)"
        guard FileManager.default.createFile(atPath: path, contents: nil, attributes: [.posixPermissions: 0o600]),
            let handle = FileHandle(forUpdatingAtPath: path)
        else { throw CocoaError(.fileWriteUnknown) }
        try FileManager.default.removeItem(atPath: path)
        self.handle = handle
    }

    deinit { try? handle.close() }

    /// How many bytes it holds.
    public var count: UInt64 { end }

    /// Keeps a step's.
    public func append(_ bytes: [UInt8], step: Int) throws {
        try handle.seek(toOffset: end)
        try handle.write(contentsOf: bytes)
        places[step] = (end, bytes.count)
        end += UInt64(bytes.count)
    }

    /// Gives a step's.
    ///
    /// - Throws: That it is not here, or cannot be read.
    public func take(_ step: Int) throws -> [UInt8] {
        guard let place = places.removeValue(forKey: step) else { throw CocoaError(.fileNoSuchFile) }
        try handle.seek(toOffset: place.offset)
        guard let bytes = try handle.read(upToCount: place.count), bytes.count == place.count else {
            throw CocoaError(.fileReadCorruptFile)
        }
        return [UInt8](bytes)
    }
}
