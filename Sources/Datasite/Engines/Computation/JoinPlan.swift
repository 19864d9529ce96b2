import DatasiteProtocol
import DifferentialPrivacy
import Foundation
import Governance
import ModularArithmetic
import SecureComputation
import SecureStatistics
import Tables

/// Statistics of the people who are in two sites' tables.
///
/// **What the noise rests on** (``SecureStatistics/JoinedStatisticsPlan``): identifiers are unique in each table, since a unit is a person and her identifier its name, of whom one row goes in; whether it does, and what is in it, follows from her own rows alone. So whether her rows are there, at either
/// site or both, changes one row of the join at most.
struct JoinPlan: ComputationPlan {
    /// Identifiers reach no further than this from the least one.
    static let mostIdentifiers: Int64 = 1 << 40
    /// The most numbers in all rows of the join, and of what is compared for groups.
    static let mostNumbers = 1 << 21

    let request: JoinRequest
    private let plan: JoinedStatisticsPlan
    private let party: ComputingParty
    /// This site's rows at most.
    private let rows: Int
    /// Of this site's table.
    private let columns: [Int]
    private let group: ColumnInput?
    let cost: ThreePartyCost

    init(_ request: JoinRequest, at place: ComputationPlace) throws {
        self.request = request
        (party, rows) = (place.party, request.rows[place.index])
        try Self.check(request)
        if rows == 0 {
            (columns, group) = ([], nil)
        } else {
            try place.checkCapacity(rows)
            try Self.checkIdentifier(request.on, at: place)
            columns = try request.ordered.filter { $0.site == place.index }.map { column in
                try place.column(
                    column.name, from: column.lower, to: column.upper, alike: "ask the site for its dataset again"
                ).index
            }
            group = try request.by.flatMap { try $0.site == place.index ? Self.group($0, at: place) : nil }
        }
        plan = try Self.plan(request)
        cost = plan.tableProgram.mostCost + plan.program.threePartyCost
    }

    private static func check(_ request: JoinRequest) throws {
        let owners = request.rows.indices.filter { request.rows[$0] > 0 }
        guard owners.count == 2 else {
            throw Problem.invalidRequest(
                "'rows' says that \(owners.count) sites have rows, and two sites' tables are joined",
                hint: "two bring rows, and a third computes with them and brings 0")
        }
        guard request.columns.count <= 63, request.columns.allSatisfy({ owners.contains($0.site) }),
            request.by.map({ owners.contains($0.site) }) ?? true
        else {
            throw Problem.invalidRequest("'columns' names at most 63 columns, and 'by' one, of sites that have rows")
        }
        // Sums, and products of two, are numbers then.
        guard request.columns.allSatisfy({ max(abs($0.lower), abs($0.upper)) <= 1e100 }) else {
            throw Problem.invalidRequest("bounds of columns are at most 1e100")
        }
        let (span, overflow) = request.on.upper.subtractingReportingOverflow(request.on.lower)
        guard request.on.lower <= request.on.upper, !overflow, span <= mostIdentifiers else {
            throw Problem.invalidRequest(
                "\(DisplayedName.of(request.on.name)) from \(request.on.lower) to \(request.on.upper): \(request.on.lower > request.on.upper ? "the range is empty" : "identifiers are whole numbers that reach over 2^40 at most")",
                hint: "both owners may declare `bounds` of the column: the least first")
        }
        if let by = request.by {
            guard (1...JoinedStatisticsTask.groupLimit).contains(by.values.count) else {
                throw Problem.invalidRequest(
                    "\(by.values.count) groups: 1 to \(JoinedStatisticsTask.groupLimit) are possible")
            }
        }
        // A program is made to plan, and a stranger chooses what it is of.
        let (most, least) = (request.rows.reduce(0, +), owners.map { request.rows[$0] }.min() ?? 0)
        guard most * (request.columns.count + 2) <= mostNumbers,
            least * ((request.by?.values.count ?? 0) + 1) <= mostNumbers
        else {
            throw Problem.tooLarge(
                "\(most) rows of \(request.columns.count) columns\(request.by.map { " in \($0.values.count) groups" } ?? ""): at most \(mostNumbers) numbers, an identifier and two marks among them, and as many rows of the smaller table times groups"
            )
        }
    }

    /// The identifier must name the unit: else a person's row could take the place of another's when that one is absent, and one unit would change two rows of the join.
    private static func checkIdentifier(_ on: JoinRequest.Identifier, at place: ComputationPlace) throws {
        let (index, column) = try place.declared(on.name)
        guard place.manifest.unit.column == index else {
            let unit = place.manifest.unit.column.map { place.manifest.schema.columns[$0].name }
            throw Problem.invalidRequest(
                "people are told apart by what the manifest names as the unit, which is \(unit ?? "each row by itself") at this site and not \(column.name)",
                hint: unit.map { "join on \($0)" }
                    ?? "its owner may declare `unit: {column: \(column.name), rows: ..., groups: ...}`")
        }
        guard column.type == .integer, column.domain == nil else {
            throw Problem.invalidRequest(
                "\(column.name) is a \(column.type.rawValue)\(column.domain == nil ? "" : " with a domain"), and tables are joined on whole numbers",
                hint: "both owners may add their tables with numbers in the place of names, alike at both sites")
        }
        // A narrower range would choose people by their numbers.
        let (lower, upper) = (
            column.lowerBound.map { Int64(exactly: $0.rounded(.up)) ?? .min } ?? 0,
            column.upperBound.map { Int64(exactly: $0.rounded(.down)) ?? .max } ?? mostIdentifiers
        )
        guard on.lower <= lower, on.upper >= upper else {
            throw Problem.invalidRequest(
                "'on' reaches from \(on.lower) to \(on.upper), and this site's \(column.name) from \(lower) to \(upper)",
                hint: "a join is of all people: say the least and the largest of both sites")
        }
    }

    private static func group(_ by: JoinRequest.Grouping, at place: ComputationPlace) throws -> ColumnInput {
        let (index, column) = try place.column(by.name)
        let values = column.type == .boolean ? [.boolean(false), .boolean(true)] : column.domain ?? []
        guard !values.isEmpty, column.type != .real else {
            throw Problem.invalidRequest(
                "\(column.name) has no public groups",
                hint: "columns with a `domain`, or of true and false, of any type but real; their owners declare it")
        }
        guard values.map(AnswerEncoding.scalar) == by.values else {
            throw Problem.conflict(
                "this site declares other values of \(column.name) than the request",
                hint: "ask the site for its dataset again")
        }
        return ColumnInput(column: index, form: .oneOf(values))
    }

    private static func plan(_ request: JoinRequest) throws -> JoinedStatisticsPlan {
        do throws(SecureStatisticsError) {
            var tables: [PeopleTable] = []
            for (place, rows) in request.rows.enumerated() where rows > 0 {
                var columns: [ColumnBounds] = []
                // Both may have a column of one name.
                for column in request.ordered where column.site == place {
                    columns.append(try ColumnBounds("\(place + 1):\(column.name)", column.lower, column.upper))
                }
                tables.append(
                    try PeopleTable(owner: ComputingParty.three[place], capacity: rows, columns: columns))
            }
            var privacy: JointPrivacy?
            if let rho = request.rho { privacy = try JointPrivacy(rho: rho, delta: 1e-9) }
            let measure =
                request.by.map { JoinedMeasure.groups(of: ComputingParty.three[$0.site], count: $0.values.count) }
                ?? .moments
            return try JoinedStatisticsPlan(
                JoinedStatisticsTask(
                    tables[0], tables[1], identifierBound: request.on.upper - request.on.lower, measure: measure,
                    privacy: privacy, recipients: ComputingParty.three))
        } catch { throw Problem.invalidRequest("\(error)") }
    }

    /// The names of identifier and groups too, which the library does not know.
    var digest: [UInt8] {
        let by = request.by.map { ["\($0.site)", $0.name] + $0.values.map { "\($0)" } } ?? []
        return Array(
            AllowedRounds.digest(
                "parley joined statistics 1\n",
                of: [hexadecimal(plan.task.digest), request.on.name, "\(request.on.lower)"] + by))
    }

    var program: Program { plan.program }
    var join: SharedJoin? { SharedJoin(program: plan.tableProgram, joined: plan.joined) }
    /// Shuffles, and what is opened on the way, are not verified.
    var security: ThreePartySecurity { .semiHonest }
    var noise: JointNoise? { plan.noise }
    var columnCount: Int { rows == 0 ? 0 : columns.count + 2 }

    func inputs(_ table: Table) throws -> ComputationInputs {
        guard rows > 0 else { return ComputationInputs(inputs: try plan.inputs(of: party)) }
        let (lower, upper) = (request.on.lower, request.on.upper)
        guard let people = table.people(named: lower...upper, columns: columns, group: group) else {
            throw SecureStatisticsError.rows("this site's table", expected: "people who are named by whole numbers")
        }
        return ComputationInputs(
            tables: try plan.tables(
                of: party,
                People(
                    identifiers: people.identifiers.map { $0 - lower }, columns: people.columns, groups: people.groups)),
            inputs: try plan.inputs(of: party))
    }

    // MARK: What leaves

    var notes: [String] {
        let whose =
            rows == 0
            ? "This site brings no rows, and computes with the two others"
            : "One row of each unit goes in, as shares that no other site can read: up to \(rows) of this site"
        let what =
            (request.by == nil
                ? "how many people are in both tables, and sums, means, variances and covariances of the columns,"
                : "how many people of each group are in both tables, and sums and means of the columns,")
            + " become known to the owners of all three sites and whoever asked. Who is in both does not."
        return [
            "\(whose); \(what)",
            "Each site is trusted to follow the protocol: nothing of its steps is verified. One that deviates could make results wrong, or learn of others' rows.",
            "Of people who have a value in each of this site's and the other's columns that are asked for; numbers beyond bounds count as the bound. Numbers are rounded to parts of 32,768 of their bounds' width.",
        ]
            + (request.rho == nil
                ? []
                : [
                    "Deviations are of the noise alone: which people were there is not in them. Of means, variances and covariances they are to first order, and these are told where the count is at least \(Int(JoinedStatistics.leastCount)) deviations of its noise."
                ])
    }

    var whatBecomes: String {
        request.by == nil
            ? "how many people are in both tables, and sums and products of the columns over them, become"
            : "how many people of each group are in both tables, and sums of the columns over them, become"
    }

    var inputVerification: String {
        "what went in of this site was held to declared bounds, one row of each unit; nothing of the others' steps was verified: each site is trusted to follow the protocol, and that rows are true is not verified"
    }

    func document(_ terms: ComputationTerms) throws -> [UInt8] {
        let made = try plan.statistics(terms.outputs)
        func number(_ value: Double, _ deviation: Double) -> ReleasedJoin.Number {
            ReleasedJoin.Number(value, deviation: request.rho == nil ? nil : deviation)
        }
        func numbers(_ values: [Double], _ deviations: [Double]) -> [ReleasedJoin.Number] {
            zip(values, deviations).map(number)
        }
        var all: [ReleasedJoin.People] = []
        var covariances: [[ReleasedJoin.Number]]?
        if let by = request.by {
            for (value, group) in zip(by.values, made.groups) {
                let means = group.hasQuotients ? numbers(group.means, group.meanDeviations) : nil
                all.append(
                    .init(
                        group: value, count: number(group.count, made.deviation),
                        sums: numbers(group.sums, made.sumDeviations), means: means))
            }
        } else {
            let means = made.hasQuotients ? numbers(made.means, made.meanDeviations) : nil
            all.append(
                .init(
                    count: number(made.count, made.countDeviation),
                    sums: numbers(made.sums, made.sumDeviations), means: means))
            if made.hasQuotients {
                covariances = zip(made.covariances, made.covarianceDeviations).map { numbers($0, $1) }
            }
        }
        return try AnswerEncoding.bytes(
            ReleasedJoin(
                request: terms.request, dataset: request.dataset, version: terms.version,
                analysis: JoinRequest.analysis, on: request.on.name,
                columns: request.ordered.map {
                    ReleasedJoin.Column(site: $0.site, name: $0.name, lower: $0.lower, upper: $0.upper)
                }, by: request.by.map { ReleasedJoin.Grouping(site: $0.site, name: $0.name) }, people: all,
                covariances: covariances, rows: request.rows, rho: request.rho, run: request.invitation.run,
                sites: request.invitation.sites, place: terms.place, coordinator: request.invitation.coordinator,
                coordinatorKey: request.invitation.coordinatorKey, session: hexadecimal(terms.session),
                charge: terms.release.charge, notes: terms.notes, guarantees: terms.release.guarantees,
                nonce: Nonce.new()))
    }
}
