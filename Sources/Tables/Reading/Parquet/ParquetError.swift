/// Why a Parquet file is not read, for its owner: what is wrong, and where; never a value.
public struct ParquetError: Error, Sendable, Hashable {
    public var problem: String
    public var column: String?
    /// From 1, as is the page's number within the row group's column.
    public var rowGroup: Int?
    public var page: Int?

    init(_ problem: String, column: String? = nil) {
        self.problem = problem
        self.column = column
    }

    /// The bytes at hand end inside what is read.
    static let endsEarly = ParquetError("it ends early")
}

extension ParquetError: CustomStringConvertible {
    public var description: String {
        let place = [
            rowGroup.map { "row group \($0)" }, column.map { "column '\($0)'" }, page.map { "page \($0)" },
        ].compactMap(\.self)
        return (place.isEmpty ? "the Parquet file" : place.joined(separator: ", ")) + ": " + problem
    }
}
