import DatasiteProtocol
import Learning
import Tables

/// What a draft of a manifest says of files of arrays: shapes and types, no value.
struct DraftedArrays {
    /// Of more than one number a row.
    private(set) var arrays: [(name: String, shape: [Int], element: ArraySchema.Element)] = []
    /// Of one number a row.
    private(set) var columns: [(name: String, type: ValueType)] = []
    /// Whether a table names images in a folder.
    private(set) var hasFolder = false

    /// Of grey, colour and colour with transparency: where one of them stands last alone, files are taken to have the channels last.
    private static let channels = [1, 3, 4]

    init(_ files: [ArrayFile]) throws {
        var reader = ArrayFileReader()
        for file in files {
            let (array, isFolder) = try reader.first(file)
            hasFolder = hasFolder || isFolder
            let isBytes = array.type == .unsigned8 || array.type == .boolean
            if array.rowShape.allSatisfy({ $0 == 1 }), !isFolder {
                let isReal = [.float16, .float32, .float64].contains(array.type)
                columns.append((file.name, array.type == .boolean ? .boolean : isReal ? .real : .integer))
            } else {
                let own = array.rowShape
                let isTurned = own.count == 3 && Self.channels.contains(own[2]) && !Self.channels.contains(own[0])
                arrays.append(
                    (file.name, isTurned ? [own[2], own[0], own[1]] : own, isBytes ? .uint8 : .float32))
            }
        }
    }
}
