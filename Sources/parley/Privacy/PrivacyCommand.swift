import ArgumentParser

struct PrivacyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "privacy",
        abstract: "Plan a study: what mechanisms cost, how much noise a privacy needs, what noise looks like.",
        discussion: """
            A calculator: it reads no data and asks no datasite. docs/accounting.md explains every accountant.

            Training with differential privacy (DP-SGD), 10,000 steps at noise 1:
              parley privacy epsilon --gaussian 1.0 --sampling-rate 0.004 --steps 10000 --delta 1e-5

            The noise for epsilon 3 instead:
              parley privacy noise --epsilon 3 --sampling-rate 0.004 --steps 10000 --delta 1e-5

            What an epsilon means for one person:
              parley privacy explain --epsilon 1 --delta 1e-6

            A million draws of noise:
              parley privacy sample discrete-gaussian --scale 1.5 --count 1000000 --histogram
            """,
        subcommands: [
            PrivacyExplainCommand.self, PrivacyEpsilonCommand.self, PrivacyNoiseCommand.self, PrivacySampleCommand.self,
        ])
}
