import DifferentialPrivacy
import Governance
import Tables
import Yams

/// A manifest, or a draft of one, read without the bounds that are to be found: what is not set yet is filled with what allows everything.
struct UnboundedManifest {
    let document: ManifestDocument
    /// What it declares, where it does.
    private(set) var bounds: [String: [Double]] = [:]
    private(set) var rowsPerUnit: Int?
    private(set) var groupsPerUnit: Int?
    private(set) var rowsPerGroup: Int?
    private(set) var weight: String?
    let regime: LossRegime

    /// So much is allowed of what is to be found.
    private static let everything = "\(1 << 24)"

    /// - Throws: a `Problem` (`invalid-manifest`) where something else than a bound is wrong or missing.
    init(_ text: String) throws {
        let root = try YAMLValue.document(text)
        guard case .mapping(let given) = root.node else { throw root.problem("expected a manifest's keys") }
        guard given["kind"]?.string != "lookup", given["lookup"] == nil else {
            throw root.problem("a public lookup table needs no bounds")
        }
        var mapping = Self.set(given)
        (rowsPerUnit, groupsPerUnit, rowsPerGroup) = (nil, nil, nil)
        if case .mapping(let unit)? = mapping["unit"] {
            rowsPerUnit = unit["rows"]?.int
            groupsPerUnit = unit["groups"]?.int ?? rowsPerUnit
            rowsPerGroup = unit["rows-per-group"]?.int ?? unit["rows_per_group"]?.int
            guard let column = unit["column"] else {
                throw root.problem(
                    "`unit` does not say which column names the unit",
                    hint: "say `unit: {column: NAME}` and leave the rest, or `unit: row` if each row is one")
            }
            mapping["unit"] = Self.node([
                ("column", column), ("rows", Node(Self.everything)), ("groups", Node(Self.everything)),
            ])
        }
        weight = mapping["weight"]?.string ?? mapping["weight"]?["column"]?.string
        mapping["weight"] = nil
        mapping["capacity"] = Self.node([("rows", Node(Self.everything)), ("units", Node(Self.everything))])
        for key in ["name", "population"] where mapping[key] == nil { mapping[key] = Node("draft") }
        mapping["policy"] = Self.policy(mapping["policy"])
        var columns: [Node] = []
        for column in given["columns"]?.array() ?? [] {
            guard case .mapping(let column) = column else { continue }
            if let name = column["name"]?.string { bounds[name] = Self.ends(Self.set(column)["bounds"]) }
            columns.append(.mapping(Self.unbounded(column)))
        }
        mapping["columns"] = Node(columns)
        document = try ManifestDocument(YAMLValue(node: .mapping(mapping), path: ""))
        regime =
            document.manifest.policy?.regime
            ?? LossRegime(kind: .zeroConcentrated, conversionDelta: 5e-7, selectionDelta: 5e-7, total: 1)
    }

    private static func ends(_ bounds: Node?) -> [Double]? {
        let ends = bounds?.array().compactMap(\.float) ?? []
        return ends.count == 2 && ends[0] < ends[1] ? ends : nil
    }

    private static func unbounded(_ column: Node.Mapping) -> Node.Mapping {
        var unbounded = set(column)
        for key in ["bounds", "outside", "resolution", "infinity"] { unbounded[key] = nil }
        return unbounded
    }

    /// The policy's unit of loss alone matters.
    private static func policy(_ node: Node?) -> Node {
        guard case .mapping(var policy)? = node else {
            return Self.node([("loss", Node("zcdp")), ("delta", Node("1e-6")), ("total", anyTotal)])
        }
        if policy["total"] == nil || policy["total"]?.mapping?.isEmpty == true {
            policy["total"] = anyTotal
        }
        policy["per-researcher"] = nil
        return .mapping(policy)
    }

    private static var anyTotal: Node { Self.node([("epsilon", Node("1"))]) }

    private static func node(_ members: [(key: String, value: Node)]) -> Node {
        Node(members.map { (Node($0.key), $0.value) })
    }

    /// Without what still has to be set.
    private static func set(_ mapping: Node.Mapping) -> Node.Mapping {
        var result = mapping
        for (key, value) in mapping {
            switch value {
            case .scalar(let scalar) where scalar.string == YAMLValue.placeholder: result[key] = nil
            case .sequence(let sequence)
            where sequence.contains { $0.string == YAMLValue.placeholder }:
                result[key] = nil
            case .mapping(let inner): result[key] = .mapping(set(inner))
            default: break
            }
        }
        return result
    }
}
