/// What a request may cost.
public enum Budget: Sendable, Hashable {
    /// Pure: that epsilon. zCDP: the largest rho that converts to at most that epsilon at the policy's conversion delta.
    case epsilon(Double)
    /// That rho, under a zCDP policy only.
    case rho(Double)
    /// The least loss that may be charged and for which every aggregate's 95 % half-width is at most `relative` times
    /// `groupSize` (counts), or `relative` times `groupSize` times the half-width of its bounds (sums, and so means).
    /// `relative` is a fraction, 0.02 for 2 %; `groupSize` is a number of rows.
    case error(relative: Double, groupSize: Double)
}

/// On the wire a budget is one of three members of the request that it belongs to: `"epsilon": 0.5`, `"rho": 0.01` or
/// `"error": {"relative": 0.02, "groupSize": 1000}`.
extension Budget: Codable {
    private enum Key: String, CodingKey { case epsilon, rho, error }
    private enum ErrorKey: String, CodingKey { case relative, groupSize }

    public init(from decoder: any Decoder) throws {
        let members = try decoder.container(keyedBy: Key.self)
        var found: [Budget] = []
        if let epsilon = try members.decodeIfPresent(Double.self, forKey: .epsilon) { found.append(.epsilon(epsilon)) }
        if let rho = try members.decodeIfPresent(Double.self, forKey: .rho) { found.append(.rho(rho)) }
        if members.contains(.error), !(try members.decodeNil(forKey: .error)) {
            let target = try members.nestedContainer(keyedBy: ErrorKey.self, forKey: .error)
            found.append(
                .error(
                    relative: try target.decode(Double.self, forKey: .relative),
                    groupSize: try target.decode(Double.self, forKey: .groupSize)))
        }
        do throws(JSONError) { self = try Self.only(of: found) } catch {
            throw DecodingError.dataCorrupted(
                .init(codingPath: decoder.codingPath, debugDescription: error.message))
        }
    }

    public func encode(to encoder: any Encoder) throws {
        var members = encoder.container(keyedBy: Key.self)
        switch self {
        case .epsilon(let epsilon): try members.encode(epsilon, forKey: .epsilon)
        case .rho(let rho): try members.encode(rho, forKey: .rho)
        case .error(let relative, let groupSize):
            var target = members.nestedContainer(keyedBy: ErrorKey.self, forKey: .error)
            try target.encode(relative, forKey: .relative)
            try target.encode(groupSize, forKey: .groupSize)
        }
    }
}

extension Budget {
    /// Whether it is made of finite numbers: others cannot be written as JSON.
    public var isFinite: Bool {
        switch self {
        case .epsilon(let epsilon): epsilon.isFinite
        case .rho(let rho): rho.isFinite
        case .error(let relative, let groupSize): relative.isFinite && groupSize.isFinite
        }
    }

    /// Takes the budgets that a request names, whatever their number.
    static func taken(from object: inout StrictObject) throws(JSONError) -> [Budget] {
        var found: [Budget] = []
        if let epsilon = try object.optionalDouble("epsilon") { found.append(.epsilon(epsilon)) }
        if let rho = try object.optionalDouble("rho") { found.append(.rho(rho)) }
        if var target = try object.optionalObject("error") {
            found.append(
                .error(relative: try target.double("relative"), groupSize: try target.double("groupSize")))
            try target.finish()
        }
        return found
    }

    /// The budget, if it is the only one: of two, which is charged would be a guess.
    static func only(of found: [Budget]) throws(JSONError) -> Budget {
        guard found.count == 1 else {
            throw JSONError("exactly one of 'epsilon', 'rho' and 'error' must be given, not \(found.count)")
        }
        return found[0]
    }

    /// The member of a request's signed form.
    var canonical: (key: String, value: CanonicalJSON) {
        switch self {
        case .epsilon(let epsilon): ("epsilon", .bitPattern(epsilon))
        case .rho(let rho): ("rho", .bitPattern(rho))
        case .error(let relative, let groupSize):
            ("error", .object(["relative": .bitPattern(relative), "groupSize": .bitPattern(groupSize)]))
        }
    }
}
