import ArgumentParser
import Datasite
import DatasiteProtocol
import Foundation

/// Which datasite's folder an owner's command acts on. Whoever may open the folder owns the site.
struct SiteOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "The datasite's folder (default: $PARLEY_SITE, else ./parley-site): you act as its owner.", valueName: "dir"
        ),
        completion: .directory)
    var site: String?

    var path: String { site ?? Self.environmentPath ?? Self.defaultPath }

    static let defaultPath = "./parley-site"

    static var environmentPath: String? {
        ProcessInfo.processInfo.environment["PARLEY_SITE"].flatMap { $0.isEmpty ? nil : $0 }
    }

    func open() throws -> Datasite {
        guard FileManager.default.fileExists(atPath: path) else {
            throw Failure(
                "There is no datasite at \(path).",
                next: "Make one with: parley site init \(path)   or name another with --site DIR or $PARLEY_SITE.")
        }
        return try Datasite(path: path)
    }
}

extension Identity {
    /// Access to the folder is ownership: who acts on its files needs no token.
    static let localOwner = Identity(name: "local owner", role: .owner)
}
