import ArgumentParser
import Datasite
import DatasiteClient
import DatasiteProtocol
import Foundation

/// Named as SQL, pandas and R call it.
struct JoinCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "join",
        abstract: "Statistics of the people who are in two datasites' tables, which no site shows another.",
        discussion: """
            How many people are in both tables, and sums, means, variances and covariances of columns of both; or with --by how many of each group, and sums and means. The two sites' tables are joined on shares, with a \
            third site that helps: nobody learns who is in both. Each site has a dataset of that name; --on names the column by which both tell people apart, whole numbers that mean the same at both. No two of the three sites may \
            be in league, and each is trusted to follow the protocol: nothing of its steps is verified. With --rho each number carries noise that protects each person, which each owner adds whole, and its standard \
            deviation is told; with --exact there is none, if both owners' policies allow that.

              parley join https://hospital.example.org,https://registry.example.org people --helper https://office.example.org --on person \\
                  --columns age,charges --rho 0.1 --address https://rounds.example.org:8900 --dry-run
              parley join https://hospital.example.org,https://registry.example.org people --helper https://office.example.org --on person \\
                  --columns charges --by region --rho 0.1 --address https://rounds.example.org:8900
              parley join https://hospital.example.org,https://registry.example.org people --helper https://office.example.org --on person \\
                  --columns 1:weight,2:weight --exact --json --address https://rounds.example.org:8900
            """)

    @Argument(
        help: ArgumentHelp(
            "The two sites that have rows, with a comma between: URLs that you are logged in to.",
            valueName: "site,site"
        ))
    var sites: String
    @Argument(help: "The dataset, at all three.", completion: DatasetNames.completion) var dataset: String
    @Option(help: ArgumentHelp("The site that computes with both, and brings no rows.", valueName: "site"))
    var helper: String
    @Option(help: ArgumentHelp("The column that names people, at both sites.", valueName: "column")) var on: String
    @Option(
        help: ArgumentHelp(
            "Columns of numbers, of either site, with commas between: 1:NAME and 2:NAME where both sites have one of that name.",
            valueName: "column,...")) var columns: String?
    @Option(
        help: ArgumentHelp("A column with public values, by which people are grouped.", valueName: "column"))
    var by: String?
    @OptionGroup var options: SharedComputingOptions
    @Flag(help: "The first site's answer as it is, for programs.") var json = false

    private var columnNames: [String] { (columns ?? "").split(separator: ",").map(String.init) }

    func validate() throws {
        guard sites.split(separator: ",").count == 2 else {
            throw ValidationError("Two sites' tables are joined: name both, with a comma between, and a --helper.")
        }
        guard Set(columnNames).count == columnNames.count else { throw ValidationError("Name each column once.") }
    }

    func run() async throws {
        let computing = SharedComputing<JoinRequest>(
            options: options, sites: "\(sites),\(helper)",
            asked: ["join", sites, helper, dataset, options.rounds.coordinator, on, columns ?? "", by ?? ""]
                + [String(options.rho ?? -1)])
        guard let made = try await computing.run({ try await coordination($0) }) else { return }
        if json {
            Terminal.output.json(made.bytes)
        } else {
            JoinView(made.released[0], made.sites.map(\.name)).show(on: .output)
        }
        made.showCharges(on: json ? .diagnostics : .output)
    }

    // MARK: What is asked

    private func coordination(_ asking: SitesAsked) async throws -> Coordination<JoinRequest> {
        let sites = try await asking.sites()
        let details = try await asking.each { try await $0.client.dataset(dataset).detail() }
        let owners = Array(details.prefix(2))
        let columns = try columnNames.map { name in
            let (site, column) = try found(name, owners)
            let (lower, upper) = try column.computedBounds()
            return JoinRequest.Column(site: site, column.name, lower, upper)
        }
        let grouping = try by.map { name in
            let (site, column) = try found(name, owners)
            guard let values = column.type == "boolean" ? [.boolean(false), .boolean(true)] : column.domain else {
                throw Failure(
                    "\(PrintableText.escape(name)) has no public values.",
                    next: "Name a column with a declared domain, or of true and false.")
            }
            return JoinRequest.Grouping(site: site, column.name, values)
        }
        return try Coordination(sites: sites, address: options.rounds.coordinator) { invitation in
            JoinRequest(
                dataset: dataset, on: try identifier(owners), columns: columns, by: grouping,
                rows: owners.map(\.capacityUnits) + [0], rho: options.rho, invitation: invitation)
        }
    }

    /// A column by its name, or by its site's place and its name.
    private func found(_ name: String, _ details: [DatasetDetail]) throws -> (site: Int, column: DatasetDetail.Column) {
        var hits: [(site: Int, column: DatasetDetail.Column)] = []
        for (site, detail) in details.enumerated() {
            for column in detail.columns where column.name == name || "\(site + 1):\(column.name)" == name {
                hits.append((site, column))
            }
        }
        guard let hit = hits.first else {
            let all = details.enumerated().flatMap { site, detail in detail.columns.map { "\(site + 1):\($0.name)" } }
            throw Failure(
                "Neither site has a column \(PrintableText.escape(name)).",
                next: "Their columns: \(PrintableText.escape(all.joined(separator: ", ")))")
        }
        guard hits.count == 1 else {
            throw Failure(
                "Both sites have a column \(PrintableText.escape(name)).",
                next: "Say whose: 1:\(PrintableText.escape(name)) or 2:\(PrintableText.escape(name)).")
        }
        return hit
    }

    /// From the least that any of both sites may have to the largest.
    private func identifier(_ details: [DatasetDetail]) throws -> JoinRequest.Identifier {
        let columns = try details.map { detail in
            guard let column = detail.columns.first(where: { $0.name == on }) else {
                throw Failure(
                    "\(PrintableText.escape(dataset)) has no column \(PrintableText.escape(on)) at both sites.",
                    next: "--on names the column by which both tell people apart.")
            }
            return column
        }
        let lower = columns.map { $0.lower.flatMap { Int64(exactly: $0.rounded(.down)) } ?? 0 }
        let upper = columns.map { $0.upper.flatMap { Int64(exactly: $0.rounded(.up)) } ?? 1 << 40 }
        return JoinRequest.Identifier(on, lower.min() ?? 0, upper.max() ?? 0)
    }
}

/// Joined statistics as people read them.
struct JoinView {
    let made: ReleasedJoin
    let sites: [String]

    init(_ made: ReleasedJoin, _ sites: [String]) { (self.made, self.sites) = (made, sites) }

    private var isNoisy: Bool { made.rho != nil }

    private func number(_ title: String) -> [TextTable.Column] {
        [.init(title: title, alignsRight: true)] + (isNoisy ? [.init(title: "noise", alignsRight: true)] : [])
    }

    private func cells(_ number: ReleasedJoin.Number?) -> [String] {
        guard let number else { return isNoisy ? ["", ""] : [""] }
        guard let deviation = number.deviation else { return [NumberText.significant(number.value, digits: 7)] }
        return [
            NumberText.fixed(number.value, decimals: NumberText.decimals(forHalfWidth: deviation)),
            NumberText.significant(deviation, digits: 3),
        ]
    }

    private func name(_ place: Int) -> String {
        let column = made.columns[place]
        let isTwice = made.columns.count { $0.name == column.name } > 1
        return isTwice ? "\(column.site + 1):\(column.name)" : column.name
    }

    func show(on terminal: Terminal) {
        if made.by == nil { showAll(terminal) } else { showGroups(terminal) }
        if !made.columns.isEmpty {
            let bounds = made.columns.indices.map {
                "\(name($0)) of \(sites[made.columns[$0].site]), from \(ShortNumber.text(made.columns[$0].lower)) to \(ShortNumber.text(made.columns[$0].upper))"
            }
            terminal.paragraph(PrintableText.escape("Columns: \(bounds.joined(separator: "; "))."), .dim)
        }
        let missing = made.people.contains { $0.means == nil } && !made.columns.isEmpty
        terminal.paragraph(
            (made.rho.map {
                "A person's rho is \(ShortNumber.text($0)). Beside each number: the standard deviation of the noise in it, which is all that it is of."
                    + (missing
                        ? " Where a count is less than ten deviations of its noise, nothing is divided by it: a larger --rho would."
                        : "")
            } ?? "Without noise.")
                + " Each site was trusted to follow the protocol: nothing of its steps was verified.",
            .dim)
    }

    private func showAll(_ terminal: Terminal) {
        guard let people = made.people.first else { return }
        var count = TextTable([.init(title: "")] + number("people"), indent: 2)
        count.append(["in both tables"] + cells(people.count))
        terminal.write(count.render(on: terminal))
        guard !made.columns.isEmpty else { return }
        terminal.line()
        var table = TextTable(
            [.init(title: "column")] + ["sum", "mean", "variance"].flatMap(number), indent: 2)
        for place in made.columns.indices {
            let variance = made.covariances?[place][place]
            table.append(
                [name(place)] + cells(people.sums[place]) + cells(people.means?[place]) + cells(variance))
        }
        terminal.write(table.render(on: terminal))
        guard let covariances = made.covariances, made.columns.count > 1 else { return }
        terminal.line()
        var pairs = TextTable([.init(title: "column"), .init(title: "with")] + number("covariance"), indent: 2)
        for (i, row) in covariances.enumerated() {
            for j in row.indices where j > i { pairs.append([name(i), name(j)] + cells(row[j])) }
        }
        terminal.write(pairs.render(on: terminal))
    }

    private func showGroups(_ terminal: Terminal) {
        let title = made.by?.name ?? ""
        var counts = TextTable([.init(title: title)] + number("people in both"), indent: 2)
        for people in made.people { counts.append([text(people.group)] + cells(people.count)) }
        terminal.write(counts.render(on: terminal))
        guard !made.columns.isEmpty else { return }
        terminal.line()
        var table = TextTable(
            [.init(title: title), .init(title: "column")] + ["sum", "mean"].flatMap(number), indent: 2)
        for people in made.people {
            for place in made.columns.indices {
                table.append(
                    [text(people.group), name(place)] + cells(people.sums[place]) + cells(people.means?[place]))
            }
        }
        terminal.write(table.render(on: terminal))
    }

    private func text(_ group: Scalar?) -> String {
        switch group {
        case .text(let text): text
        case .integer(let number): String(number)
        case .real(let number): ShortNumber.text(number)
        case .boolean(let isTrue): isTrue ? "true" : "false"
        case .null, nil: ""
        }
    }
}
