import Crypto
public import DatasiteProtocol
import Foundation
import GRDB
import Governance
import Secrets

/// A user as the owner sees her.
public struct UserSummary: Sendable, Hashable {
    /// Her name, for ever hers.
    public var name: String
    /// What she may do.
    public var role: Role
    /// Whether her token is worthless.
    public var isRevoked: Bool
    /// RFC 3339, UTC.
    public var created: String
}

extension Datasite {
    /// The name under which acts of whoever has the folder are journaled: access to it is ownership.
    public static let localOwner = Identity(name: "local owner", role: .owner)

    /// Adds a user and returns her token, once: 256 random bits, of which only the SHA-256 is stored. A name is one
    /// person's for ever, since requests, spending and journal go by it: a revoked user's is not given away.
    public func addUser(_ name: String, role: Role) throws -> String {
        guard Manifest.isName(name) else {
            throw Problem.invalidRequest(
                "\(DisplayedName.of(name)) is not a user's name",
                hint: "1 to 64 of the characters a-z, A-Z, 0-9, _ and -, the first a letter")
        }
        let token = Self.newToken()
        let hash = Self.hash(token)
        try write { context in
            let db = context.db
            if let isRevoked = try Self.isRevoked(name, db) {
                throw isRevoked
                    ? Problem.conflict(
                        "\(name) is the name of a revoked user, whose requests and spending it keeps",
                        hint: "the same person: \(Self.reinstating(name)); another person: choose another name")
                    : Problem.conflict(
                        "there is a user \(name)", hint: "`parley user rotate \(name)` gives a new token")
            }
            // Policies and approvals go by the name as it is written, and people do not.
            if let taken = try String.fetchOne(
                db, sql: "SELECT name FROM users WHERE name = :name COLLATE NOCASE", arguments: ["name": name])
            {
                throw Problem.conflict(
                    "there is a user \(taken), whose name differs in upper and lower case alone",
                    hint: "choose a name that nobody takes for hers")
            }
            try db.execute(
                sql: "INSERT INTO users VALUES (:name, :role, :token, :created, NULL)",
                arguments: ["name": name, "role": role.rawValue, "token": hash, "created": context.now])
            try Self.changedUser(
                name, .userAdded, role: role, state: RecordedState.token(hash), in: &context)
        }
        return token
    }

    /// Makes a user's token worthless from the next request on. Her name, requests, answers and spending stay.
    public func revokeUser(_ name: String) throws {
        try write { context in
            try context.db.execute(
                sql: "UPDATE users SET revoked = :now WHERE name = :name AND revoked IS NULL",
                arguments: ["now": context.now, "name": name])
            guard context.db.changesCount == 1 else {
                guard try Self.isRevoked(name, context.db) == nil else {
                    throw Problem.conflict("\(name) is revoked already")
                }
                throw Problem.absent("there is no user \(DisplayedName.of(name))")
            }
            try Self.changedUser(name, .userRevoked, in: &context)
        }
    }

    /// Gives a user a new token in place of the old.
    ///
    /// - Parameter reinstating: Whether a revoked user gets access again, with the role and the spending that she had:
    ///   said in words, so that rotating everybody's token lets nobody in again.
    public func rotateUser(_ name: String, reinstating: Bool = false) throws -> String {
        let token = Self.newToken()
        let hash = Self.hash(token)
        try write { context in
            guard let isRevoked = try Self.isRevoked(name, context.db) else {
                throw Problem.absent("there is no user \(DisplayedName.of(name))")
            }
            guard reinstating || !isRevoked else {
                throw Problem.conflict("\(name) is revoked", hint: "to give access again: \(Self.reinstating(name))")
            }
            try context.db.execute(
                sql: "UPDATE users SET token = :token, revoked = NULL WHERE name = :name",
                arguments: ["token": hash, "name": name])
            try Self.changedUser(
                name, .tokenRotated, detail: isRevoked ? "access given again" : "", state: RecordedState.token(hash),
                in: &context)
        }
        return token
    }

    private static func reinstating(_ name: String) -> String { "`parley user rotate \(name) --reinstate`" }

    /// nil if there never was a user of this name.
    private static func isRevoked(_ name: String, _ db: Database) throws -> Bool? {
        try Bool.fetchOne(
            db, sql: "SELECT revoked IS NOT NULL FROM users WHERE name = :name", arguments: ["name": name])
    }

    /// All users, revoked ones too.
    public func users() throws -> [UserSummary] {
        try read { db in
            try Row.fetchAll(db, sql: "SELECT name, role, created, revoked FROM users ORDER BY name").compactMap {
                row in
                guard let role = Role(rawValue: row[1]) else { return nil }
                return UserSummary(
                    name: row[0], role: role, isRevoked: row[3] as Int64? != nil, created: Timestamp.text(row[2]))
            }
        }
    }

    /// Whose token it is; nil if nobody's.
    public func authenticate(_ token: String) throws -> Identity? {
        guard token.hasPrefix(Self.tokenPrefix), token.utf8.count < 200 else { return nil }
        return try catalogue().user(token: token)
    }

    private static let tokenPrefix = "parley_"

    private static func newToken() -> String { tokenPrefix + Base64URL.encode(SecureRandom.bytes(32)) }

    private static func hash(_ token: String) -> Data { Data(SHA256.hash(data: Array(token.utf8))) }

    private static func changedUser(
        _ name: String, _ action: JournalAction, role: Role? = nil, detail: String = "", state: [String: String] = [:],
        in context: inout WriteContext
    ) throws {
        try Meta.catalogueChanged(context.db)
        try context.journal(
            JournalEntry(
                action: action, actor: localOwner.name, time: context.now,
                detail: detail, user: name, role: role?.rawValue, state: state))
    }
}
