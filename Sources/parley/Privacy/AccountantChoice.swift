import ArgumentParser
import DifferentialPrivacy

/// An accountant by the name that people give it, in commands and in batches.
enum AccountantChoice: String, CaseIterable, ExpressibleByArgument, Decodable {
    case renyi, pld, zcdp, gaussian, pure

    func make(
        conversion: RenyiConversion, neighbours: NeighbourRelation, gridStep: Double
    ) throws(MechanismError) -> any Accountant {
        switch self {
        case .pld: try PrivacyLossAccountant(gridStep: gridStep, neighbours: neighbours)
        case .renyi: try RenyiAccountant(conversion: conversion, neighbours: neighbours)
        case .zcdp: ZeroConcentratedAccountant(neighbours: neighbours)
        case .gaussian: GaussianAccountant(neighbours: neighbours)
        case .pure: PureAccountant(neighbours: neighbours)
        }
    }

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
            pld: the tightest, bounds from both sides; renyi: nearly every event; zcdp: simple and loose; gaussian: exact, \
            Gaussian noise on whole datasets; pure: events with an epsilon of their own, exact where they are equal. \
            (default: pld where it supports the events, else renyi)
            """))
    var accountant: AccountantChoice?

    @Option(
        help: "How Rényi divergence becomes epsilon: improved, or classic as in older publications.",
        transform: named)
    var conversion: RenyiConversion = .improved

    @Option(help: "The grid of privacy losses for pld: finer is tighter, and takes longer.")
    var gridStep = 1e-4

    @Option(
        help: """
            add-or-remove one person, as on a datasite; or replace-one, which samples of fixed size and shuffling need.
            """,
        transform: named)
    var neighbours: NeighbourRelation = .addOrRemove

    /// The accountant that was asked for; else the tightest that supports the event.
    func choice(for event: PrivacyEvent) throws -> AccountantChoice {
        if let accountant { return accountant }
        do {
            var tightest = try make(.pld)
            try tightest.compose(event, times: 1)
            return .pld
        } catch is MechanismError {
            // Whatever is wrong with the event itself, that accountant says too.
            return .renyi
        }
    }

    func make(_ choice: AccountantChoice) throws -> any Accountant {
        try choice.make(conversion: conversion, neighbours: neighbours, gridStep: gridStep)
    }

    func title(_ choice: AccountantChoice) -> String {
        choice == .renyi ? "\(choice.title), \(conversion.rawValue) conversion" : choice.title
    }
}
