import Datasite
import DatasiteProtocol
import DifferentialPrivacy
import Foundation
import Secrets

/// Our own figures, one JSON object a line. `make bench` runs all; a name as argument runs one: noise, groupby.
let arguments = Array(CommandLine.arguments.dropFirst())
let table = GroupedTable(units: 100_000, rows: 10_000_000)

if arguments.first == "groupby-ask", arguments.count == 2 {
    try await GroupByBenchmark(table: table, site: arguments[1]).ask()
} else if arguments.first == "errors", arguments.count == 4, let epsilon = Double(arguments[2]),
    let runs = Int(arguments[3])
{
    try ErrorBenchmark(file: arguments[1], epsilon: epsilon, runs: runs).run()
} else {
    let names = arguments.isEmpty ? ["noise", "groupby"] : arguments
    for name in names {
        switch name {
        case "noise": try benchmarkNoise()
        case "groupby": try GroupByBenchmark.run(table)
        default:
            FileHandle.standardError.write(Data("parley-bench: no benchmark \(name); there are noise, groupby\n".utf8))
            exit(2)
        }
    }
}
