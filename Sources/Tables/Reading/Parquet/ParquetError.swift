/// Why a Parquet file is not read, for its owner: what is wrong, and where; never a value.
public struct ParquetError: Error, Sendable, Hashable {
    /// What is wrong and what would be right, without a full stop.
    public var problem: String
    /// The column's name, where the error is in one.
    public var column: String?
    /// The number of the row group, from 1, where the error is in one.
    public var rowGroup: Int?
    /// The number of the page within the row group's column, from 1, where the error is in one.
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
