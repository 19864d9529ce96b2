import Crypto
public import DatasiteProtocol
import Foundation
import GRDB
import Governance
import Secrets

/// A user as the owner sees her.
public struct UserSummary: Sendable, Hashable {
    public var name: String
    public var role: Role
    public var isRevoked: Bool
    /// RFC 3339, UTC.
    public var created: String
}

extension Datasite {
    /// The name under which acts of whoever has the folder are journaled: access to it is ownership.
    public static let localOwner = Identity(name: "local owner", role: .owner)

    /// Adds a user and returns her token, once: 256 random bits, of which only the SHA-256 is stored. A revoked user
    /// can be added again with the role she had; what she spent stays spent.
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
            let present = try Row.fetchOne(db, sql: "SELECT role, revoked FROM users WHERE name = ?", arguments: [name])
            if let present {
                guard present["revoked"] as Int64? != nil else {
                    throw Problem.conflict("there is a user \(name)", hint: "`parley user rotate` gives a new token")
                }
                guard present["role"] == role.rawValue else {
                    throw Problem.conflict("\(name) had another role", hint: "choose another name")
                }
            }
            try db.execute(
                sql: """
                    INSERT INTO users VALUES (?, ?, ?, ?, NULL)
                    ON CONFLICT (name) DO UPDATE SET token = excluded.token, revoked = NULL
                    """, arguments: [name, role.rawValue, hash, context.now])
            try Self.changedUser(name, .userAdded, detail: role.rawValue, in: &context)
        }
        return token
    }

    /// Makes a user's token worthless from the next request on.
    public func revokeUser(_ name: String) throws {
        try write { context in
            try context.db.execute(
                sql: "UPDATE users SET revoked = ? WHERE name = ? AND revoked IS NULL", arguments: [context.now, name])
            guard context.db.changesCount == 1 else {
                throw Problem.absent("there is no user \(DisplayedName.of(name))")
            }
            try Self.changedUser(name, .userRevoked, detail: "", in: &context)
        }
    }

    /// Gives a user a new token in place of the old.
    public func rotateUser(_ name: String) throws -> String {
        let token = Self.newToken()
        let hash = Self.hash(token)
        try write { context in
            try context.db.execute(
                sql: "UPDATE users SET token = ? WHERE name = ? AND revoked IS NULL", arguments: [hash, name])
            guard context.db.changesCount == 1 else {
                throw Problem.absent("there is no user \(DisplayedName.of(name))")
            }
            try Self.changedUser(name, .tokenRotated, detail: "", in: &context)
        }
        return token
    }

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
        _ name: String, _ action: JournalAction, detail: String, in context: inout WriteContext
    ) throws {
        try Meta.catalogueChanged(context.db)
        try context.journal(
            JournalEntry(
                action: action, actor: localOwner.name, time: context.now,
                detail: detail.isEmpty ? name : "\(name), \(detail)"))
    }
}
