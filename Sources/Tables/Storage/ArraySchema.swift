/// What the public knows of an array that each row has, such as an image: as the data owner declared it.
public struct ArraySchema: Sendable, Hashable {
    /// How its numbers are stored.
    public enum Element: String, Sendable, Hashable, CaseIterable {
        /// Whole numbers from 0 to 255.
        case uint8
        /// IEEE 754 binary32, little-endian.
        case float32

        /// Bytes of one number.
        public var size: Int { self == .uint8 ? 1 : 4 }
    }

    /// Its name: no column has it.
    public var name: String
    /// The extents of one row's numbers, outermost first; of an image channels, height and width.
    public var shape: [Int]
    /// How its numbers are stored.
    public var element: Element
    /// The declared lower bound; what is below is stored as it.
    public var lowerBound: Double
    /// The declared upper bound, likewise.
    public var upperBound: Double
    /// What people should know of it.
    public var description: String

    /// An array; its bounds are finite, the lower one first.
    public init(
        name: String, shape: [Int], element: Element, lowerBound: Double, upperBound: Double, description: String = ""
    ) {
        self.name = name
        self.shape = shape
        self.element = element
        self.lowerBound = lowerBound
        self.upperBound = upperBound
        self.description = description
    }

    /// Numbers of one row.
    public var count: Int { shape.reduce(1, *) }
    /// Bytes of one row.
    public var rowBytes: Int { count * element.size }
}
