/// Reads a policy file line by line, each in time that depends on its length alone.
struct PolicyReader {
    static let none = PolicyName("none".utf8)

    private var policy = LogPolicy()
    private var logKeys: Set<[UInt8]> = []
    private var witnessKeys: Set<[UInt8]> = []
    private var names: Set<PolicyName> = []
    private var members: Set<PolicyName> = []
    private var hasQuorum = false

    static func read(_ bytes: [UInt8]) throws(PolicyError) -> LogPolicy {
        guard bytes.count <= LogPolicy.largestSize else {
            throw .tooLong(bytes.count, limit: LogPolicy.largestSize)
        }
        var reader = PolicyReader()
        var lines = LineReader(bytes)
        var number = 0
        while let line = lines.next() {
            number += 1
            do throws(PolicyError.Problem) { try reader.take(line) } catch { throw .line(number, error) }
        }
        guard lines.rest.isEmpty else { throw .line(number + 1, .unterminated) }
        guard reader.hasQuorum else { throw .noQuorum }
        return reader.policy
    }

    private mutating func take(_ line: ArraySlice<UInt8>) throws(PolicyError.Problem) {
        let (space, tab) = (UInt8(ascii: " "), UInt8(ascii: "\t"))
        if let byte = line.first(where: { $0 != tab && ($0 < space || $0 == 0x7f) }) { throw .forbiddenByte(byte) }
        let items = line.split { $0 == space || $0 == tab }
        guard let keyword = items.first, keyword.first != UInt8(ascii: "#") else { return }
        switch String(decoding: keyword, as: UTF8.self) {
        case "log": try takeLog(items)
        case "witness": try takeWitness(items)
        case "group": try takeGroup(items)
        case "quorum": try takeQuorum(items)
        default: throw .unknownKeyword
        }
    }

    private mutating func takeLog(_ items: [ArraySlice<UInt8>]) throws(PolicyError.Problem) {
        guard (2...3).contains(items.count) else { throw .wrongForm("log <vkey> [<url>]") }
        let key = try key(items[1])
        guard logKeys.insert(key.publicKey).inserted else { throw .duplicateKey }
        if let witness = policy.witnesses.first(where: { $0.key.publicKey == key.publicKey }) {
            throw .logIsWitness(log: key.name, witness: witness.name)
        }
        policy.logs.append(.init(key: key, url: items.count == 3 ? Array(items[2]) : nil))
    }

    private mutating func takeWitness(_ items: [ArraySlice<UInt8>]) throws(PolicyError.Problem) {
        guard (3...4).contains(items.count) else { throw .wrongForm("witness <name> <vkey> [<url>]") }
        let key = try key(items[2])
        guard key.kind != .ed25519 else { throw .notACosigner }
        guard witnessKeys.insert(key.publicKey).inserted else { throw .duplicateKey }
        let name = try define(items[1])
        if let log = policy.logs.first(where: { $0.key.publicKey == key.publicKey }) {
            throw .logIsWitness(log: log.key.name, witness: name)
        }
        policy.witnesses.append(.init(name: name, key: key, url: items.count == 4 ? Array(items[3]) : nil))
    }

    private mutating func takeGroup(_ items: [ArraySlice<UInt8>]) throws(PolicyError.Problem) {
        guard items.count >= 4 else { throw .wrongForm("group <name> all|any|<k> <name>...") }
        let group = items[3...].map { PolicyName($0) }
        for member in group {
            guard names.contains(member) else { throw .undefinedName(member) }
            guard members.insert(member).inserted else { throw .alreadyMember(member) }
        }
        let threshold = try threshold(items[2], of: group.count)
        policy.groups.append(.init(name: try define(items[1]), threshold: threshold, members: group))
    }

    private mutating func takeQuorum(_ items: [ArraySlice<UInt8>]) throws(PolicyError.Problem) {
        guard items.count == 2 else { throw .wrongForm("quorum <name>") }
        guard !hasQuorum else { throw .secondQuorum }
        let name = PolicyName(items[1])
        guard name == Self.none || names.contains(name) else { throw .undefinedName(name) }
        policy.quorum = name == Self.none ? nil : name
        hasQuorum = true
    }

    private func key(_ item: ArraySlice<UInt8>) throws(PolicyError.Problem) -> VerifierKey {
        do throws(NoteError) { return try VerifierKey(parsing: item) } catch { throw .key(error) }
    }

    private func threshold(_ item: ArraySlice<UInt8>, of count: Int) throws(PolicyError.Problem) -> Int {
        switch String(decoding: item, as: UTF8.self) {
        case "all": return count
        case "any": return 1
        default:
            guard let number = StrictDecimal.decode(item), (1...UInt64(count)).contains(number) else {
                throw .wrongThreshold(members: count)
            }
            return Int(number)
        }
    }

    private mutating func define(_ item: ArraySlice<UInt8>) throws(PolicyError.Problem) -> PolicyName {
        let name = PolicyName(item)
        guard name != Self.none, names.insert(name).inserted else { throw .nameTaken(name) }
        return name
    }
}

extension PolicyError.Problem: Error {}
