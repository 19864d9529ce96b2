#if canImport(Darwin)
    import Darwin
#elseif canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// What a layer learns: its name, shape and where it begins.
public struct ParameterDeclaration: Sendable, Equatable {
    /// As in a file of weights: "0.weight".
    public let name: String
    /// The extents, outermost first.
    public let shape: [Int]
    /// How it begins.
    public let initializer: Initializer
    /// Whether training changes it. What is frozen begins as it was given, and costs no gradient.
    public var isTrainable: Bool

    init(_ name: String, _ shape: [Int], _ initializer: Initializer, isTrainable: Bool = true) {
        self.name = name
        self.shape = shape
        self.initializer = initializer
        self.isTrainable = isTrainable
    }
}

/// How a parameter begins.
public enum Initializer: Sendable, Equatable {
    /// The same value everywhere.
    case constant(Float)
    /// Uniform from -bound to bound.
    case uniform(bound: Float)
    /// Normal with mean 0.
    case normal(deviation: Float)

    /// Uniform as PyTorch begins linear and convolution layers: He et al. 2015 with a = sqrt(5), so 1 / sqrt(inputs).
    static func inputs(_ count: Int) -> Initializer { .uniform(bound: 1 / Float(Swift.max(1, count)).squareRoot()) }

    func values(_ count: Int, using generator: inout some RandomNumberGenerator) -> [Float] {
        switch self {
        case .constant(let value): [Float](repeating: value, count: count)
        case .uniform(let bound): (0..<count).map { _ in (2 * generator.unitFloat() - 1) * bound }
        case .normal(let deviation): (0..<count).map { _ in generator.normal() * deviation }
        }
    }
}

/// The values of a model's parameters, in the order of its declarations.
public struct Parameters: Sendable {
    /// Where each name stands.
    public let names: [String]
    /// In the order of the names.
    public internal(set) var tensors: [Tensor]
    private let positions: [String: Int]

    /// - Precondition: As many names as tensors, each name once.
    public init(names: [String], tensors: [Tensor]) {
        precondition(names.count == tensors.count, "a name a tensor")
        self.names = names
        self.tensors = tensors
        positions = Dictionary(uniqueKeysWithValues: names.enumerated().map { ($0.element, $0.offset) })
    }

    /// The number of values in all.
    public var count: Int { tensors.reduce(0) { $0 + $1.count } }

    /// Where a parameter stands; nil where there is none of that name.
    public func position(_ name: String) -> Int? { positions[name] }

    /// The parameter of that name; nil where there is none.
    public subscript(name: String) -> Tensor? { positions[name].map { tensors[$0] } }
}

extension RandomNumberGenerator {
    /// Uniform in [0, 1), a multiple of 2^-24.
    mutating func unitFloat() -> Float { Float(next() >> 40) * 0x1p-24 }

    /// Uniform in [0, count), without bias (Lemire 2019).
    mutating func index(below count: Int) -> Int {
        let bound = UInt64(count)
        while true {
            let (high, low) = next().multipliedFullWidth(by: bound)
            if low >= (0 &- bound) % bound { return Int(high) }
        }
    }

    /// Normal with mean 0 and deviation 1 (Box and Muller 1958), for weights as they begin: never for noise that protects.
    mutating func normal() -> Float {
        let radius = (-2 * log(1 - unitFloat())).squareRoot()
        return radius * cos(2 * .pi * unitFloat())
    }
}
