import ArgumentParser
import DifferentialPrivacy

/// An accountant by the name that people give it, in commands and in batches.
enum AccountantChoice: String, CaseIterable, ExpressibleByArgument, Decodable {
    case renyi, pld, zcdp, gaussian, pure

    /// Who is asked where no accountant is named. zCDP is not: Rényi divergences never prove less.
    static let unnamed: [AccountantChoice] = [.gaussian, .pure, .pld, .renyi]

    /// For people.
    var title: String {
        switch self {
        case .renyi: "Rényi"
        case .pld: "privacy loss distribution"
        case .zcdp: "zCDP"
        case .gaussian: "exact Gaussian"
        case .pure: "pure composition"
        }
    }
}

/// One of a library's cases by its name.
private func named<Case: RawRepresentable & CaseIterable>(_ text: String) throws -> Case
where Case.RawValue == String {
    if let result = Case(rawValue: text) { return result }
    throw ValidationError("'\(text)' is not one of \(Case.allCases.map(\.rawValue).joined(separator: ", ")).")
}

/// How an event is accounted for.
struct AccountantOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            """
            One accountant alone. pld: privacy loss distributions, bounds from both sides; renyi: nearly every event; \
            gaussian: exact, Gaussian noise on whole datasets; pure: events with an epsilon of their own, exact where \
            they are equal; zcdp: simple and loose. (default: all that support the events; the least upper bound and the \
            greatest lower bound count)
            """))
    var accountant: AccountantChoice?

    @Option(
        help: ArgumentHelp(
            """
            For renyi alone: how Rényi divergence becomes epsilon: improved, or classic as in older publications. \
            (default: improved)
            """),
        transform: named)
    var conversion: RenyiConversion?

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            """
            The grid of privacy losses for pld, from 1e-7 to 1: finer is tighter, and takes longer. (default: 1e-4, or \
            finer where the losses are narrow)
            """))
    var gridStep: Double?

    @Option(
        help: """
            add-or-remove one person, as on a datasite; or replace-one, which samples of fixed size and shuffling need.
            """,
        transform: named)
    var neighbours: NeighbourRelation = .addOrRemove

    func validate() throws {
        try Usage.check { try check(prefix: "--") }
    }

    /// Throws where an option cannot apply: none is ignored.
    func check(prefix: String) throws(Failure) {
        if let gridStep {
            guard gridStep >= 1e-7 && gridStep <= 1 else {
                throw Failure("\(prefix)grid-step: expected a number from 1e-7 to 1")
            }
            guard conversion == nil else {
                throw Failure("\(prefix)grid-step is for pld and \(prefix)conversion for renyi: give one of them")
            }
            guard accountant == nil || accountant == .pld else {
                throw Failure("\(prefix)grid-step is for \(prefix)accountant pld")
            }
        }
        guard conversion == nil || accountant == nil || accountant == .renyi else {
            throw Failure("\(prefix)conversion is for \(prefix)accountant renyi")
        }
    }

    /// The one accountant that was asked for, if one was: only Rényi divergences are converted.
    var only: AccountantChoice? { accountant ?? (conversion == nil ? nil : .renyi) }

    func make(_ choice: AccountantChoice) throws(MechanismError) -> any Accountant {
        switch choice {
        case .pld: try PrivacyLossAccountant(gridStep: gridStep, neighbours: neighbours)
        case .renyi: try RenyiAccountant(conversion: conversion ?? .improved, neighbours: neighbours)
        case .zcdp: ZeroConcentratedAccountant(neighbours: neighbours)
        case .gaussian: GaussianAccountant(neighbours: neighbours)
        case .pure: PureAccountant(neighbours: neighbours)
        }
    }

    func title(_ choice: AccountantChoice) -> String {
        choice == .renyi ? "\(choice.title), \((conversion ?? .improved).rawValue) conversion" : choice.title
    }
}

/// What is wrong with the arguments is wrong usage, with exit status 64, whoever notices it.
enum Usage {
    /// `names`: the option that gave each of a mechanism's parameters, which is what it is called here.
    static func check(_ names: [String: String] = [:], _ body: () throws -> Void) throws {
        do {
            try body()
        } catch MechanismError.parameter(let name, let expected) {
            throw ValidationError("\(names[name] ?? name): expected \(expected).")
        } catch let error as MechanismError {
            throw ValidationError("\(error).")
        } catch let error as Failure {
            throw ValidationError("\(error.what).")
        }
    }
}
