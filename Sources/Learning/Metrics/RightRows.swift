import Kernels

/// Which rows a model is right about: what accuracy counts.
///
/// Unlike ``Evaluation`` it never fails on rows: what a model says of one that is no number is wrong, as any other wrong answer, so that whether it is measured at all tells of no row.
extension Model {
    /// Checks that what the model says of a row is one of so many labels: a value for each, of which the largest counts (of several the first), or of two labels the log odds of the second.
    ///
    /// - Throws: Outputs of another number.
    public func checkLabels(_ classes: Int) throws(ModelError) {
        let width = outputShape.product
        guard outputShape.count <= 1, width == classes || (width == 1 && classes == 2) else {
            throw .data(
                "the model's \(outputShape.extents) values a row",
                expected: "\(classes), one for each of the label's values" + (classes == 2 ? ", or one: log odds" : ""))
        }
    }

    /// Of each row whether the model says its label.
    ///
    /// - Parameters:
    ///   - examples: With labels, each below the number that ``checkLabels(_:)`` took.
    ///   - together: How many rows are computed at a time; no result depends on it.
    /// - Throws: Rows or parameters of another shape, targets that are no labels.
    public func rightRows(
        of examples: Examples, _ parameters: Parameters, together: Int
    ) throws(ModelError) -> [Bool] {
        try check(parameters)
        guard case .labels(let labels) = examples.targets else {
            throw .data("targets that are values", expected: "one label a row")
        }
        guard examples.rowShape == inputShape else {
            throw .shape(
                layer: layers.first?.title ?? "input", arrived: examples.rowShape,
                expected: "rows of \(inputShape.extents)")
        }
        // How long rows take must not follow from how small their numbers are (docs/privacy.md, rule 26).
        let subnormals = kernels_flush_subnormals()
        defer { kernels_restore_subnormals(subnormals) }
        let width = outputShape.product
        var right: [Bool] = []
        right.reserveCapacity(examples.count)
        for rows in Chunks.ranges(examples.count, size: together) {
            var pass = ForwardPass(parameters, isTraining: false, saves: false)
            pass.through(layers, examples.inputs(Array(rows))).withValues { output in
                for (place, row) in rows.enumerated() {
                    right.append(Self.label(output + place * width, width) == labels[row])
                }
            }
        }
        return right
    }

    /// What the model says; -1: no number. Each value is looked at, whichever it is.
    private static func label(_ output: UnsafePointer<Float>, _ width: Int) -> Int32 {
        if width == 1 { return output[0].isNaN ? -1 : output[0] > 0 ? 1 : 0 }
        var (likeliest, isNumber) = (0, true)
        for index in 0..<width {
            isNumber = isNumber && !output[index].isNaN
            if output[index] > output[likeliest] { likeliest = index }
        }
        return isNumber ? Int32(likeliest) : -1
    }
}
