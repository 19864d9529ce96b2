import DatasiteProtocol
public import Learning
import Tables

/// Arrays of an archive of NumPy's (`.npz`), read whole.
public enum ArchivedArrays {
    /// - Parameters:
    ///   - names: Of the arrays, without `.npy`.
    /// - Returns: In that order.
    /// - Throws: A `Problem`: no such file, no such array, or one that is damaged.
    public static func read(_ path: String, _ names: [String]) throws -> [DataArray] {
        let bytes: [UInt8]
        do {
            let reader = try FileHandleReader(path: path)
            bytes = try reader.bytes(0..<reader.size).withBytes { Array($0) }
        } catch let error as IngestError { throw Problem.absent("\(error)") }
        do throws(DataError) {
            let archive = try NPZFile(bytes, .system(largest: WholeFile.largest))
            return try names.map { name throws(DataError) in try archive.array(name) }
        } catch { throw Problem.invalidData("\(path): \(error)") }
    }
}
