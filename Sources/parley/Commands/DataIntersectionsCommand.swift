import ArgumentParser
import Datasite
import DatasiteProtocol

struct DataIntersections: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "intersections", abstract: "What is known here of who is at other sites too: for owners alone.",
        discussion: """
            Each intersection that was charged, with what came of it where this site's owners were to learn it. Numbers are exact: they are for you, not for \
            researchers.

              parley data intersections --site ./hospital-a
            """)

    @OptionGroup var site: SiteOptions

    func run() async throws {
        let found = try site.open().intersections(as: .localOwner)
        let terminal = Terminal.output
        guard !found.isEmpty else {
            return terminal.line("No dataset of this site was intersected with another site's.")
        }
        for (number, one) in found.enumerated() {
            if number > 0 { terminal.line() }
            terminal.paragraph(
                PrintableText.escape(
                    "\(one.dataset) by \(one.columns.joined(separator: ", ")), with the site \(one.peer)"), .bold)
            terminal.line(
                PrintableText.escape("  \(one.time), asked by \(one.researcher), \(one.state), request \(one.request)"))
            terminal.line("  Made known: \(one.known).")
            if let size = one.size {
                terminal.line(
                    "  \(NumberText.integer(size)) of your identifiers are there too\(one.isKept ? "; which is kept here" : "")."
                )
            }
            if let leftOut = one.leftOut, leftOut > 0 {
                terminal.line(
                    "  \(NumberText.integer(leftOut)) of your identifiers lie beyond the policy's `capacity` and were not compared."
                )
            }
            if one.state == "reserved" || one.state == "cancelled" {
                terminal.line("  It did not end here; what the other site was to learn it may know.")
            }
        }
    }
}
