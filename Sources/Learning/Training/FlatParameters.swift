extension Model {
    /// The values that training changes, one parameter after the other, in the order of the declarations.
    ///
    /// - Precondition: Parameters of this model.
    public func trained(_ parameters: Parameters) -> [Float] {
        var values: [Float] = []
        values.reserveCapacity(trainableCount)
        for (position, declaration) in declarations.enumerated() where declaration.isTrainable {
            values.append(contentsOf: parameters.tensors[position].values)
        }
        return values
    }

    /// Parameters with these values where training changes them, and the others' values as they are.
    ///
    /// - Throws: Another number of values than ``trainableCount``.
    public func parameters(_ parameters: Parameters, trained values: [Float]) throws(ModelError) -> Parameters {
        guard values.count == trainableCount else {
            throw .data("\(values.count) values", expected: "\(trainableCount), as many as are trained")
        }
        var result = parameters
        var first = 0
        for (position, declaration) in declarations.enumerated() where declaration.isTrainable {
            let count = declaration.shape.product
            result.tensors[position].values = Array(values[first..<first + count])
            first += count
        }
        return result
    }

    /// Gradients, one array a parameter, as one: in the order of ``trained(_:)``.
    func flat(_ gradients: [[Float]]) -> [Float] {
        var values: [Float] = []
        values.reserveCapacity(trainableCount)
        for (position, declaration) in declarations.enumerated() where declaration.isTrainable {
            values.append(contentsOf: gradients[position])
        }
        return values
    }

    /// The other way.
    func gradients(_ flat: [Float]) -> [[Float]] {
        var first = 0
        return declarations.map { declaration in
            guard declaration.isTrainable else { return [] }
            defer { first += declaration.shape.product }
            return Array(flat[first..<first + declaration.shape.product])
        }
    }
}
