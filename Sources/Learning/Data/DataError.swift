/// Why data are not read: where, what arrived, and what would be right; never a value of theirs.
public struct DataError: Error, Sendable, Hashable {
    /// The file's name and the place in it, outermost first.
    public private(set) var places: [String]
    /// What arrived.
    public let arrived: String
    /// What would be right, without a full stop.
    public let expected: String

    /// Of the data as a whole.
    public init(_ arrived: String, expected: String) {
        places = []
        self.arrived = arrived
        self.expected = expected
    }

    /// Of a place in them.
    public init(_ place: String, _ arrived: String, expected: String) {
        self.init(arrived, expected: expected)
        places = [place]
    }

    /// The same, found inside something larger.
    public func within(_ place: String) -> DataError {
        var copy = self
        copy.places.insert(place, at: 0)
        return copy
    }
}

extension DataError: CustomStringConvertible {
    /// In words.
    public var description: String { (places + [arrived]).joined(separator: ": ") + "; expected: " + expected }
}
