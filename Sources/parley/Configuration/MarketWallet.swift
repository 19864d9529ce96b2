import DatasiteClient
import Foundation
import Marketplace
import MarketplaceStore
import TransparencyLog

/// The markets in which this user acts: keys, what she is bound to, and a verified copy of each log.
///
///     markets/current                        the market and the party used last
///     markets/HEX16/place.json               URL, operator's key, certificate authority
///     markets/HEX16/copy/                    the market's log, every entry verified (MarketCopy)
///     markets/HEX16/verified                 how far signatures were verified, in whichever copy
///     markets/HEX16/parties/NAME/key         32 secret bytes
///     markets/HEX16/parties/NAME/pending/    what was signed, and of which it is not known whether it arrived
///     markets/HEX16/parties/NAME/bonds.json  what she committed to, with its salts
///
/// Below the configuration folder, as the logins are, with mode 0700. What is not yet shown lies here alone: whoever loses it cannot show it.
struct MarketWallet {
    struct Place: Codable {
        var url: String
        var operatorKey: PartyKey
        var certificateAuthority: String?
    }

    /// What a party committed to and shows later.
    struct Bond: Codable, Hashable {
        var kind: Commitment.Kind
        var task: Digest256
        /// Of an update its round; of a proposal the node below which it stands.
        var place: Int
        var content: Digest256
        var salt: Salt
    }

    let folder: String

    static var root: String { Logins.folder() + "/markets" }

    init(market: String) { folder = Self.root + "/" + market }

    static func name(of market: Digest256) -> String { String(market.hex.prefix(16)) }

    // MARK: which one

    struct Current: Codable {
        var market: String
        var party: String?
    }

    static func current() throws -> Current? {
        // It saves typing, and no more.
        try PrivateFile.read(root + "/current").flatMap { try? JSONDecoder().decode(Current.self, from: Data($0)) }
    }

    static func use(_ market: String, _ party: String?) throws {
        try PrivateFile.makeFolder(root)
        try PrivateFile.write(
            [UInt8](JSONEncoder().encode(Current(market: market, party: party))), to: root + "/current")
    }

    /// The wallets there are.
    static func all() -> [MarketWallet] {
        ((try? FileManager.default.contentsOfDirectory(atPath: root)) ?? []).sorted()
            .map { MarketWallet(market: $0) }.filter { FileManager.default.fileExists(atPath: $0.placeFile) }
    }

    /// The one of a URL, or whose market's name begins so.
    static func entered(_ market: String) throws -> MarketWallet {
        let found = all().filter { wallet in
            wallet.market.hasPrefix(market) || (try? wallet.place().url) == MarketAddress.normalised(market)
        }
        guard found.count == 1, let only = found.first else {
            throw Failure(
                PrintableText.escape(
                    found.isEmpty
                        ? "The market \(market) was not entered yet." : "Several markets are known as \(market)."),
                next: found.isEmpty
                    ? "parley market enter URL --as NAME; without a key: parley market copy URL FOLDER"
                    : "Name one by how its name begins: \(found.map(\.market).joined(separator: ", "))")
        }
        return only
    }

    var market: String { URL(filePath: folder).lastPathComponent }
    private var placeFile: String { folder + "/place.json" }
    var copy: String { folder + "/copy" }

    func place() throws -> Place {
        guard let bytes = try PrivateFile.read(placeFile) else {
            throw Failure("There is no market \(market) here.", next: "parley market enter URL --as NAME")
        }
        return try Self.decoded(bytes, placeFile)
    }

    private static func decoded<Value: Decodable>(_ bytes: [UInt8], _ file: String) throws -> Value {
        do { return try JSONDecoder().decode(Value.self, from: Data(bytes)) } catch {
            throw Failure(
                PrintableText.escape("\(file) is damaged."),
                next: "Put it back from a copy, or take it away and enter again.")
        }
    }

    func write(_ place: Place) throws {
        try PrivateFile.makeFolder(folder)
        try PrivateFile.write([UInt8](JSONEncoder().encode(place)), to: placeFile)
    }

    /// What a first look at a market left, of which nothing was verified.
    func forget() {
        for path in [copy, placeFile] { try? FileManager.default.removeItem(atPath: path) }
    }

    // MARK: what was verified

    private var verifiedFile: String { folder + "/verified" }

    /// Behind which entry of the market's log this user has verified every signature. Its digest is over all of them: another log does not go through it.
    func verified() -> LogPosition? {
        // It saves time, and no more: what is not there or damaged is verified again.
        guard let bytes = try? PrivateFile.read(verifiedFile) else { return nil }
        return try? JSONDecoder().decode(LogPosition.self, from: Data(bytes))
    }

    func note(verified position: LogPosition) {
        guard position != verified(), let bytes = try? JSONEncoder().encode(position) else { return }
        try? PrivateFile.makeFolder(folder)
        try? PrivateFile.write([UInt8](bytes), to: verifiedFile)
    }

    /// Opens a copy of the market's log, the wallet's or another one.
    func open(_ path: String) throws(MarketFolderError) -> MarketCopy {
        let copy = try MarketCopy(at: path, verified: verified())
        note(verified: copy.position)
        return copy
    }

    /// Brings a copy up to date.
    func bring(_ copy: MarketCopy, from link: MarketLink, under policy: LogPolicy? = nil) async throws {
        try await link.bring(copy, under: policy)
        note(verified: copy.position)
    }

    // MARK: a party

    private func folder(of party: PartyName) -> String { folder + "/parties/" + party.text }

    func signer(of party: PartyName) throws -> PartySigner? {
        guard let seed = try PrivateFile.read(folder(of: party) + "/key") else { return nil }
        guard let signer = PartySigner(seed: seed) else {
            throw Failure(
                "\(folder(of: party))/key is damaged: a key has 32 bytes.", next: "Put it back from your copy of it.")
        }
        return signer
    }

    func seed(of party: PartyName) throws -> [UInt8]? { try PrivateFile.read(folder(of: party) + "/key") }

    /// Keeps a first key, unless one is there: of two commands at once one wins.
    ///
    /// - Returns: The key that is there.
    func keep(first seed: [UInt8], of party: PartyName) throws -> [UInt8] {
        let file = folder(of: party) + "/key"
        try PrivateFile.makeFolder(folder(of: party))
        try PrivateFile.create(seed, at: file)
        return try PrivateFile.read(file) ?? seed
    }

    /// Puts a key in the place of another, which stays beside it, under the time of its end.
    func replaceKey(by seed: [UInt8], of party: PartyName) throws {
        let file = folder(of: party) + "/key"
        if let old = try PrivateFile.read(file), old != seed {
            try PrivateFile.write(old, to: "\(file).until-\(Int(Date().timeIntervalSince1970))")
        }
        try PrivateFile.write(seed, to: file)
    }

    /// A key that is registered before it is used.
    func stage(_ seed: [UInt8], of party: PartyName) throws {
        try PrivateFile.write(seed, to: folder(of: party) + "/key.next")
    }

    func staged(_ party: PartyName) throws -> [UInt8]? { try PrivateFile.read(folder(of: party) + "/key.next") }

    func unstage(_ party: PartyName) {
        try? FileManager.default.removeItem(atPath: folder(of: party) + "/key.next")
    }

    // MARK: what is under way

    func pending(of party: PartyName) throws -> [SignedEntry] {
        let folder = folder(of: party) + "/pending"
        let names = ((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []).sorted()
        return try names.filter { Digest256(hex: $0) != nil }.compactMap { name in
            try PrivateFile.read("\(folder)/\(name)").map { bytes in
                do { return try SignedEntry(journalBytes: bytes) } catch {
                    throw Failure(
                        PrintableText.escape("\(folder)/\(name) is damaged: \(error)"),
                        next:
                            "It is what you asked and may not have arrived: take it away, and look in the log whether it did."
                    )
                }
            }
        }
    }

    func hold(_ entry: SignedEntry) throws {
        let folder = folder(of: entry.request.by) + "/pending"
        try PrivateFile.makeFolder(folder)
        try PrivateFile.write(entry.journalBytes, to: "\(folder)/\(entry.key.hex)")
    }

    func release(_ entry: SignedEntry) {
        try? FileManager.default.removeItem(
            atPath: folder(of: entry.request.by) + "/pending/\(entry.key.hex)")
    }

    func bonds(of party: PartyName) throws -> [Bond] {
        guard let bytes = try PrivateFile.read(folder(of: party) + "/bonds.json") else { return [] }
        return try Self.decoded(bytes, folder(of: party) + "/bonds.json")
    }

    func keep(_ bonds: [Bond], of party: PartyName) throws {
        try PrivateFile.write([UInt8](JSONEncoder().encode(bonds)), to: folder(of: party) + "/bonds.json")
    }
}
