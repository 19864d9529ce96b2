import EncryptedPrediction
import SecureComputation

/// Terms of a model that is predicted with on shares: read to terms that have just these bytes, of which a program can be made where they are small, or refused in words.
enum PredictionTarget {
    static func violations(_ input: [UInt8]) -> [String] {
        let terms: PredictionTerms
        do { terms = try PredictionTerms(bytes: input) } catch { return useless(error) }
        guard terms.bytes == input else { return ["terms that have other bytes than they were read from"] }
        // Programs of large models take seconds.
        guard input.count < 4_000, terms.inputShape.reduce(1, *) <= 1_000 else { return [] }
        do {
            let program = try terms.program(rows: 1)
            guard try PredictionTerms(bytes: input).program(rows: 1).digest == program.digest else {
                return ["two programs of one text"]
            }
            return program.outputs.count == 1 ? [] : ["\(program.outputs.count) values opened"]
        } catch { return ["terms that were read have no program: \(error)"] }
    }

    private static func useless(_ error: PredictionError) -> [String] {
        error.description.isEmpty || error.description.utf8.count > 10_000 ? ["an error of no use"] : []
    }
}
