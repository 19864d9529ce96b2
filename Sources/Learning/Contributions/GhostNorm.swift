import Kernels

/// The least size that a unit's gradient is taken for, where it is computed without being made.
///
/// The terms of a unit's gradient may cancel, and then its norm is small or zero, while the terms themselves are added to a sum that holds
/// other units: in float32 a large term takes the last digits of what is there, or all of it, with it when it is subtracted again.
/// So a unit's terms, after scaling, must not be much larger than the clipping norm, and no value so large that what it multiplies
/// falls below float32's range.
enum Cancellation {
    /// The squared norm, but at least the squared size of the terms over 64 times their number, which is 64 or more: scaled terms
    /// are then in all at most 64 times the clipping norm for 64 terms, and 8 times its root for more. Terms of random
    /// directions, whose sum is about their size over the root of their number, are far above that.
    ///
    /// - Parameters:
    ///   - square: Of the sum of the terms.
    ///   - size: The sum of the terms' own norms.
    static func squaredNorm(_ square: Double, size: Double, terms: Int) -> Double {
        // Not max(): it would make a number of what is none.
        let least = size * size / Double(64 * max(64, terms))
        return square < least ? least : square
    }

    /// Up to which squared norm a row's values serve as a factor.
    static let largestSquare = 0x1p128
}

/// Norms of a unit's gradient of a weight, from the inputs and output gradients at its positions, without making it.
enum GhostNorm {
    /// The squared norm of gradients^T inputs: the sum over pairs s, t of positions of <g_s, g_t> <a_s, a_t>, from above.
    ///
    /// Infinite where an input or a gradient is beyond 2^64: such a unit counts as zero. Added are 2^-20 of (sum over t of |g_t| |a_t|)^2, which is at
    /// least the sum of all terms' sizes and covers the rounding errors of products of float32 vectors, and what is lost of products of
    /// two small values, which fall below float32's range: each of the pairs' two factors then errs by 2^-126 a value at most, subnormal numbers being taken for zero. Terms that
    /// cancel count for more than their sum (``Cancellation``).
    static func squared(_ gradients: Dense.Matrix, _ inputs: Dense.Matrix) -> Double {
        let count = gradients.rows
        var (size, inputSizes, gradientSizes) = (0.0, 0.0, 0.0)
        for position in 0..<count {
            let input = Dense.squaredNorm(inputs.values + position * inputs.columns, count: inputs.columns)
            let gradient = Dense.squaredNorm(gradients.values + position * gradients.columns, count: gradients.columns)
            if input > Cancellation.largestSquare || gradient > Cancellation.largestSquare { return .infinity }
            if count == 1 { return input * gradient }
            size += (input * gradient).squareRoot()
            inputSizes += input.squareRoot()
            gradientSizes += gradient.squareRoot()
        }
        let gram = kernels_gram(
            count: count, a: inputs.values, lda: inputs.columns, a_length: inputs.columns, a_transposed: false,
            g: gradients.values, ldg: gradients.columns, g_length: gradients.columns, g_transposed: false)
        let sum = Dense.withWorkspace(kernels_gram_workspace(gram, Dense.instructions)) {
            kernels_gram_sum(gram, $0, Dense.instructions)
        }
        let lost =
            Double(max(inputs.columns, gradients.columns)) * 0x1p-126
            * (inputSizes * inputSizes + gradientSizes * gradientSizes)
        // A sum that is no number stays none.
        let square = (sum < 0 ? 0 : sum) + size * size * 0x1p-20 + lost
        return Cancellation.squaredNorm(square, size: size, terms: count)
    }
}
