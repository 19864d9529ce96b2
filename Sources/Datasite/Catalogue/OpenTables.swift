import DatasiteProtocol
import Synchronization
import Tables

/// The tables of present versions, mapped when first asked for; those of versions that are gone are let go.
final class OpenTables: Sendable {
    enum Opened: Sendable {
        case table(Table)
        case lookup(LookupTable)
    }

    private let tables = Mutex<[String: Opened]>([:])

    func opened(_ version: String, open: () throws -> Opened) throws -> Opened {
        if let table = tables.withLock({ $0[version] }) { return table }
        let opened = try open()
        // Two threads may open one table at the same time; the first to come here stays.
        return tables.withLock { tables in
            if let present = tables[version] { return present }
            tables[version] = opened
            return opened
        }
    }

    func keepOnly(_ versions: Set<String>) {
        tables.withLock { tables in tables = tables.filter { versions.contains($0.key) } }
    }
}
