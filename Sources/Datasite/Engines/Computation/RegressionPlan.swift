import DatasiteProtocol
import DifferentialPrivacy
import Foundation
import Governance
import ModularArithmetic
import SecureComputation
import SecureStatistics
import Tables

/// A regression of three sites' rows.
struct RegressionPlan: ComputationPlan {
    /// The most numbers in all rows, and rows in all steps together.
    static let (mostNumbers, mostRowSteps) = (1 << 21, 1 << 20)
    /// The most numbers in all rows in all steps together.
    static let mostNumberSteps = 1 << 24

    private enum Fit: Sendable {
        case linear(LinearPlan)
        case logistic(LogisticPlan)
    }

    /// What comes of it.
    struct Result: Sendable {
        let intercept: Double
        let coefficients: [Double]
        /// Of the noise in the intercept and each coefficient, to first order; nil: not told.
        var deviations: (intercept: Double, coefficients: [Double])?
    }

    let request: ComputationRequest
    private let fit: Fit
    private let party: ComputingParty
    private let rows: Int
    /// The columns of this site's rows, the response's last; none where it brings no rows.
    private let columns: [ColumnInput]
    let cost: ThreePartyCost

    init(_ request: ComputationRequest, _ rule: ComputationRule, at place: ComputationPlace) throws {
        self.request = request
        (party, rows) = (place.party, request.rows[place.index])
        try Self.check(request, rule)
        columns = rows == 0 ? [] : try Self.columns(request, at: place)
        fit = try Self.fit(request)
        let program =
            switch fit {
            case .linear(let plan): plan.program
            case .logistic(let plan): plan.program
            }
        do throws(ComputationError) { cost = try program.threePartyCostWithAbort() } catch {
            throw Problem.invalidRequest("\(error)")
        }
    }

    private static func check(_ request: ComputationRequest, _ rule: ComputationRule) throws {
        guard request.steps <= rule.steps else {
            throw Problem.forbidden("the owner's policy allows at most \(rule.steps) steps")
        }
        let rows = request.rows.reduce(0, +)
        guard rows * request.features.count <= mostNumbers, rows * max(1, request.steps) <= mostRowSteps,
            rows * (request.features.count + 1) * max(1, request.steps) <= mostNumberSteps
        else {
            throw Problem.tooLarge(
                "\(rows) rows of \(request.features.count) columns in \(request.steps) steps: at most \(mostNumbers) numbers, and \(mostRowSteps) rows or \(mostNumberSteps) numbers in all steps together"
            )
        }
        guard request.analysis == .linear || request.steps >= 2 else {
            throw Problem.invalidRequest("a logistic regression takes 2 steps at least")
        }
        guard request.analysis == .logistic || request.steps == 1 && request.rate == 1 else {
            throw Problem.invalidRequest("a linear regression has no steps: 'steps' and 'rate' are 1")
        }
    }

    private static func columns(_ request: ComputationRequest, at place: ComputationPlace) throws -> [ColumnInput] {
        try place.checkCapacity(request.rows[place.index])
        return try (request.features + [request.response]).enumerated().map { position, asked in
            // Whoever has no response is not in it.
            let missing: Float = position == request.features.count ? .nan : 0.5
            let (index, column) = try place.column(
                asked.name, from: asked.lower, to: asked.upper,
                alike: "all sites must declare what goes in alike: their owners may agree on bounds")
            if column.type == .boolean {
                return ColumnInput(column: index, form: .oneOf([.boolean(false), .boolean(true)]))
            }
            return ColumnInput(
                column: index, form: .number(lower: asked.lower, upper: asked.upper, missing: missing))
        }
    }

    private static func fit(_ request: ComputationRequest) throws -> Fit {
        do throws(SecureStatisticsError) {
            var features: [ColumnBounds] = []
            for column in request.features {
                features.append(try ColumnBounds(column.name, column.lower, column.upper))
            }
            let response = try ColumnBounds(request.response.name, request.response.lower, request.response.upper)
            let rows = zip(ComputingParty.three, request.rows).filter { $0.1 != 0 }
            let table = try JointTable(
                features: features, response: response,
                rowsOf: Dictionary(rows.map { ($0, $1) }, uniquingKeysWith: { first, _ in first }))
            var privacy: JointPrivacy?
            if let rho = request.rho { privacy = try JointPrivacy(rho: rho, delta: 1e-9) }
            switch request.analysis {
            case .linear:
                return .linear(
                    try LinearPlan(
                        LinearTask(
                            table: table, ridge: request.ridge, privacy: privacy, setting: .threeParties,
                            recipients: ComputingParty.three)))
            case .logistic:
                return .logistic(
                    try LogisticPlan(
                        LogisticTask(
                            table: table, epochs: request.steps, rate: request.rate, ridge: request.ridge,
                            privacy: privacy, setting: .threeParties, recipients: ComputingParty.three)))
            }
        } catch { throw Problem.invalidRequest("\(error)") }
    }

    var digest: [UInt8] {
        switch fit {
        case .linear(let plan): plan.task.digest
        case .logistic(let plan): plan.task.digest
        }
    }

    var program: Program {
        switch fit {
        case .linear(let plan): plan.program
        case .logistic(let plan): plan.program
        }
    }

    var noise: JointNoise? {
        switch fit {
        case .linear(let plan): plan.noise
        case .logistic(let plan): plan.noise
        }
    }

    var join: SharedJoin? { nil }
    var security: ThreePartySecurity { .withAbort }
    var columnCount: Int { columns.count }

    // MARK: What goes in

    func inputs(_ table: Table) throws -> ComputationInputs {
        let rows = ownRows(table)
        switch fit {
        case .linear(let plan): return ComputationInputs(inputs: try plan.inputs(of: party, rows))
        case .logistic(let plan): return ComputationInputs(inputs: try plan.inputs(of: party, rows))
        }
    }

    /// This site's rows: of each unit the first of its keyed order, where that one has a response.
    private func ownRows(_ table: Table) -> OwnerRows? {
        guard let label = columns.last else { return nil }
        let features = columns.dropLast()
        let found = table.examples(inputs: Array(features), label: label, rowsPerUnit: 1)
        let width = features.reduce(0) { $0 + $1.width }
        let count = found.units.count
        var (columns, start): ([[Double]], Int) = ([], 0)
        for (feature, asked) in zip(features, request.features) {
            let values = (0..<count).map { row in
                let first = Double(found.inputs[row * width + start])
                // Of false and true, how far it is true: between them where it is missing.
                return feature.width == 1 ? first : (1 - first + Double(found.inputs[row * width + start + 1])) / 2
            }
            columns.append(values.map(asked.scaled))
            start += feature.width
        }
        let response =
            found.labels.map { $0.map(Double.init) }
            ?? (found.values ?? []).map { request.response.scaled(Double($0)) }
        return OwnerRows(features: columns, response: response)
    }

    // MARK: What leaves

    var notes: [String] { [promise, model] + (deviationNote.map { [$0] } ?? []) }

    private var promise: String {
        let whose =
            rows == 0
            ? "This site brings no rows, and computes with the two others"
            : "One row of each unit goes in, as shares that no other site can read: up to \(rows) of this site"
        return whose + "; coefficients become known to the owners of all three sites and whoever asked."
    }

    /// What the coefficients are of.
    private var model: String {
        let rows = "\(request.rows.reduce(0, +)) declared rows"
        let ridge =
            "columns scaled to -1 and 1 by their bounds, a missing one in their middle, and \(ShortNumber.text(request.ridge)) times the \(rows) added for each coefficient and the intercept"
        return request.analysis == .linear
            ? "Least squares of \(ridge)."
            : "\(request.steps) steps of length \(ShortNumber.text(request.rate)) down the mean loss over the \(rows), from 0: of \(ridge). Whether more steps would lead further is not said."
    }

    private var deviationNote: String? {
        guard request.rho != nil else { return nil }
        return request.analysis == .linear
            ? "Deviations are of the noise alone, to first order, and are told where the noise is small beside what is solved: which people were there is not in them."
            : "How much noise is in a coefficient is not told: each step carries the noise of those before it on, in a way that depends on rows."
    }

    var whatBecomes: String { "the coefficients become" }

    var inputVerification: String {
        "what went in was held to declared bounds, and each step was verified before anything was opened: one site that deviates would have ended it; that rows are true is not verified"
    }

    /// nil: noise left nothing that has a solution.
    private func result(_ outputs: [RingTensor]) -> Result? {
        switch fit {
        case .linear(let plan):
            guard let model = try? plan.model(outputs) else { return nil }
            return Result(
                intercept: model.intercept, coefficients: model.coefficients, deviations: model.deviations)
        case .logistic(let plan):
            return (try? plan.model(outputs)).map { Result(intercept: $0.intercept, coefficients: $0.coefficients) }
        }
    }

    func document(_ terms: ComputationTerms) throws -> [UInt8] {
        let result = result(terms.outputs)
        let coefficients = result.map { result in
            request.features.indices.map { place in
                ReleasedComputation.Coefficient(
                    name: request.features[place].name, lower: request.features[place].lower,
                    upper: request.features[place].upper, value: result.coefficients[place],
                    deviation: result.deviations?.coefficients[place])
            }
        }
        let unsolved = "Noise left nothing that has a solution: a larger ridge, a larger loss or more rows would."
        return try AnswerEncoding.bytes(
            ReleasedComputation(
                request: terms.request, dataset: request.dataset, version: terms.version,
                analysis: request.analysis.rawValue, response: request.response.name,
                coefficients: coefficients ?? [], intercept: result?.intercept,
                interceptDeviation: result?.deviations?.intercept, rows: request.rows,
                steps: request.steps, rate: request.rate, ridge: request.ridge, rho: request.rho,
                run: request.invitation.run, sites: request.invitation.sites, place: terms.place,
                coordinator: request.invitation.coordinator, coordinatorKey: request.invitation.coordinatorKey,
                session: hexadecimal(terms.session), charge: terms.release.charge,
                notes: terms.notes + (coefficients == nil ? [unsolved] : []),
                guarantees: terms.release.guarantees, nonce: Nonce.new()))
    }
}

extension ComputationRequest.Column {
    /// What a part of the way from the lower to the upper bound is.
    func scaled(_ part: Double) -> Double { lower + part * (upper - lower) }
}
