import Foundation

/// Where the numbers of an array, or of a column, are read from.
public struct ArrayFile: Sendable, Hashable {
    /// The array's or the column's name in the manifest.
    public var name: String
    /// A file of IDX or `.npy`, gzipped or not; one array of an archive, `FILE.npz:NAME`; or a folder of PNG, whose files the table's column
    /// `file` names.
    public var path: String

    /// Numbers at a path.
    public init(name: String, path: String) {
        self.name = name
        self.path = path
    }

    /// The same from `NAME=PATH`; nil where it is not so written.
    public init?(_ text: String) {
        guard let sign = text.firstIndex(of: "=") else { return nil }
        (name, path) = (String(text[..<sign]), String(text[text.index(after: sign)...]))
        guard !name.isEmpty, !path.isEmpty else { return nil }
    }

    /// An archive and the name of an array in it; nil: the path is that of a file or folder.
    var member: (archive: String, name: String)? {
        guard let end = path.range(of: ".npz:", options: .caseInsensitive) else { return nil }
        let sign = path.index(before: end.upperBound)
        return (String(path[..<sign]), String(path[end.upperBound...]))
    }
}
