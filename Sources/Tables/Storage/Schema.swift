/// What the public knows of a column: its name, type, bounds and domain, as the data owner declared them.
public struct ColumnSchema: Sendable, Hashable {
    /// The column's name; within a schema names differ.
    public var name: String
    /// The type of its values.
    public var type: ValueType
    /// Whether a value may be missing.
    public var isNullable: Bool
    /// The declared lower bound of an integer, real, date or timestamp column, in its own unit; never taken from the
    /// data. The column's value is the clipped one, wherever it is used (docs/privacy.md, rule 28).
    public var lowerBound: Double?
    /// The declared upper bound, as `lowerBound`.
    public var upperBound: Double?
    /// Whether a value outside the bounds becomes null (true) or the bound (false).
    public var outsideIsNull: Bool
    /// The grid, from the lower bound on, to which values are rounded when they are read, and on which quantiles of this
    /// column are searched; 1 for integers and dates unless declared.
    public var resolution: Double?
    /// The public domain, in the declared order. A value outside it becomes `other`, or null where `other` is nil.
    public var domain: [Value]?
    /// What a value outside the domain becomes; nil: null.
    public var other: Value?
    /// Whether an infinite value becomes the bound (true) or null (false).
    public var infinityIsBound: Bool
    /// The largest number of UTF-8 bytes of a text value, after NFC normalisation; longer ones are cut, or an error where
    /// they name a unit or are a lookup table's key.
    public var maximumBytes: Int
    /// How files write its values.
    public var form = FieldForm()
    /// What people should know of it.
    public var description: String
    /// What it is computed of when the table is made; nil: files have its values. Such columns are a schema's last.
    public var computed: ArrayStatistic?

    /// A column; what is left out is not declared.
    public init(
        name: String, type: ValueType, isNullable: Bool = true, lowerBound: Double? = nil, upperBound: Double? = nil,
        resolution: Double? = nil, domain: [Value]? = nil, other: Value? = nil, infinityIsBound: Bool = false,
        outsideIsNull: Bool = false, maximumBytes: Int = 128, description: String = ""
    ) {
        self.name = name
        self.type = type
        self.isNullable = isNullable
        self.lowerBound = lowerBound
        self.upperBound = upperBound
        self.resolution = resolution
        self.domain = domain
        self.other = other
        self.infinityIsBound = infinityIsBound
        self.outsideIsNull = outsideIsNull
        self.maximumBytes = maximumBytes
        self.description = description
    }
}

/// The columns of a table, in order, and the arrays beside them. Names are unique.
public struct Schema: Sendable, Hashable {
    /// The columns, in order.
    public var columns: [ColumnSchema]
    /// What each row has beside its values, in order: nothing that is asked in questions.
    public var arrays: [ArraySchema]

    /// A schema of those columns and arrays.
    public init(columns: [ColumnSchema], arrays: [ArraySchema] = []) {
        self.columns = columns
        self.arrays = arrays
    }

    /// The position of the column of that name (exact match first, then regardless of ASCII case), if there is one.
    public func index(of name: String) -> Int? {
        if let exact = columns.firstIndex(where: { $0.name == name }) { return exact }
        return columns.firstIndex { $0.name.lowercased() == name.lowercased() }
    }
}
