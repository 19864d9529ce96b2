/// The role of a user of a datasite.
public enum Role: String, Sendable, Hashable, Codable, CaseIterable {
    case owner, researcher, auditor
}

/// What anyone may know of a datasite (`GET /v1/site`).
public struct SiteDescription: Sendable, Hashable, Codable {
    public var name: String
    /// The Ed25519 public key that signs receipts, base64.
    public var publicKey: String
    public var protocolVersion: Int

    public init(name: String, publicKey: String, protocolVersion: Int = 1) {
        self.name = name
        self.publicKey = publicKey
        self.protocolVersion = protocolVersion
    }
}

/// Who asks (`GET /v1/whoami`).
public struct Identity: Sendable, Hashable, Codable {
    public var name: String
    public var role: Role

    public init(name: String, role: Role) {
        self.name = name
        self.role = role
    }
}

/// Privacy loss for people; the ledger's integers are exact, these are their decimal values.
public struct Loss: Sendable, Hashable, Codable {
    /// "pure" or "zcdp".
    public var kind: String
    /// Epsilon (pure).
    public var epsilon: Double?
    /// Rho (zcdp).
    public var rho: Double?
    /// What was spent on key selection (zcdp).
    public var delta: Double?
    /// The epsilon that rho alone converts to at the policy's conversion delta (zcdp). Such epsilons do not add.
    public var epsilonAtDelta: Double?
    public var conversionDelta: Double?

    public init(
        kind: String, epsilon: Double? = nil, rho: Double? = nil, delta: Double? = nil, epsilonAtDelta: Double? = nil,
        conversionDelta: Double? = nil
    ) {
        self.kind = kind
        self.epsilon = epsilon
        self.rho = rho
        self.delta = delta
        self.epsilonAtDelta = epsilonAtDelta
        self.conversionDelta = conversionDelta
    }
}

/// A line of the catalogue (`GET /v1/datasets`).
public struct DatasetSummary: Sendable, Hashable, Codable {
    public var name: String
    public var title: String
    /// A random identifier of the version, never a hash of the data.
    public var version: String
    public var columns: Int
    public var unit: String
    public var population: String
    /// "private" or "lookup".
    public var kind: String

    public init(
        name: String, title: String, version: String, columns: Int, unit: String, population: String, kind: String
    ) {
        self.name = name
        self.title = title
        self.version = version
        self.columns = columns
        self.unit = unit
        self.population = population
        self.kind = kind
    }
}

/// A dataset's dictionary, policy and mock rows (`GET /v1/datasets/{name}`): all public.
public struct DatasetDetail: Sendable, Hashable, Codable {
    public struct Column: Sendable, Hashable, Codable {
        public var name: String
        public var type: String
        public var description: String
        public var nullable: Bool
        public var lower: Double?
        public var upper: Double?
        public var resolution: Double?
        public var domain: [Scalar]?
        /// "unit", "weight", "key" or nil.
        public var role: String?

        public init(
            name: String, type: String, description: String, nullable: Bool, lower: Double?, upper: Double?,
            resolution: Double?, domain: [Scalar]?, role: String?
        ) {
            self.name = name
            self.type = type
            self.description = description
            self.nullable = nullable
            self.lower = lower
            self.upper = upper
            self.resolution = resolution
            self.domain = domain
            self.role = role
        }
    }

    public var summary: DatasetSummary
    public var description: String
    public var columns: [Column]
    public var rowsPerUnit: Int
    public var groupsPerUnit: Int
    public var capacityRows: Int
    public var capacityUnits: Int
    /// The policy in words and numbers; empty for a lookup table.
    public var total: Loss?
    public var perResearcher: Loss?
    public var perQuestion: Loss?
    /// What a question is charged at least.
    public var leastCharge: Loss?
    public var windows: [String]
    public var allowedAggregates: [String]
    public var approval: String
    /// A few mock rows, in the order of `columns`.
    public var mockRows: [[Scalar]]
    /// Where mock rows come from, if they are of a synthetic table (a release, with its cost); nil: they are made up from
    /// the manifest alone.
    public var mockSource: String?

    public init(
        summary: DatasetSummary, description: String, columns: [Column], rowsPerUnit: Int, groupsPerUnit: Int,
        capacityRows: Int, capacityUnits: Int, total: Loss?, perResearcher: Loss?, perQuestion: Loss?,
        leastCharge: Loss? = nil, windows: [String], allowedAggregates: [String], approval: String,
        mockRows: [[Scalar]],
        mockSource: String? = nil
    ) {
        self.summary = summary
        self.description = description
        self.columns = columns
        self.rowsPerUnit = rowsPerUnit
        self.groupsPerUnit = groupsPerUnit
        self.capacityRows = capacityRows
        self.capacityUnits = capacityUnits
        self.total = total
        self.perResearcher = perResearcher
        self.perQuestion = perQuestion
        self.leastCharge = leastCharge
        self.windows = windows
        self.allowedAggregates = allowedAggregates
        self.approval = approval
        self.mockRows = mockRows
        self.mockSource = mockSource
    }
}

/// A question over the wire (`POST /v1/ask`, `/v1/preview`, `/v1/mock`). Exactly one of `epsilon`, `rho`, `error`.
public struct AskRequest: Sendable, Hashable, Codable {
    public struct ErrorTarget: Sendable, Hashable, Codable {
        /// 0.02 for 2 %.
        public var relative: Double
        public var groupSize: Double

        public init(relative: Double, groupSize: Double) {
            self.relative = relative
            self.groupSize = groupSize
        }
    }

    public var dataset: String
    public var sql: String
    public var epsilon: Double?
    public var rho: Double?
    public var error: ErrorTarget?
    public var selectionDelta: Double?
    public var groupsPerUnit: Int?
    public var rowsPerGroup: Int?

    public init(
        dataset: String, sql: String, epsilon: Double? = nil, rho: Double? = nil, error: ErrorTarget? = nil,
        selectionDelta: Double? = nil, groupsPerUnit: Int? = nil, rowsPerGroup: Int? = nil
    ) {
        self.dataset = dataset
        self.sql = sql
        self.epsilon = epsilon
        self.rho = rho
        self.error = error
        self.selectionDelta = selectionDelta
        self.groupsPerUnit = groupsPerUnit
        self.rowsPerGroup = rowsPerGroup
    }
}

/// What a question would cost and how precise it would be (`POST /v1/preview`): from the plan alone, nothing spent.
public struct Preview: Sendable, Hashable, Codable {
    public struct Column: Sendable, Hashable, Codable {
        public var name: String
        public var type: String
        public var isKey: Bool
        /// The mechanism and its parameters, in words ("discrete Gaussian, standard deviation 12.3").
        public var mechanism: String?
        /// The standard deviation of the noise, in the column's unit, where it is known beforehand.
        public var standardDeviation: Double?
        /// The half-width of the 95 % interval, absolute, where it is known beforehand.
        public var expectedError: Double?

        public init(
            name: String, type: String, isKey: Bool, mechanism: String?, standardDeviation: Double?,
            expectedError: Double?
        ) {
            self.name = name
            self.type = type
            self.isKey = isKey
            self.mechanism = mechanism
            self.standardDeviation = standardDeviation
            self.expectedError = expectedError
        }
    }

    public var dataset: String
    public var sql: String
    public var charge: Loss
    /// What she could still spend, all limits taken together, before this question.
    public var available: Loss
    /// Whether it would be answered, wait for approval, or be refused (and why).
    public var decision: String
    public var columns: [Column]
    /// The number of groups, where the domain is public.
    public var groups: Int?
    public var notes: [String]

    public init(
        dataset: String, sql: String, charge: Loss, available: Loss, decision: String, columns: [Column],
        groups: Int?, notes: [String]
    ) {
        self.dataset = dataset
        self.sql = sql
        self.charge = charge
        self.available = available
        self.decision = decision
        self.columns = columns
        self.groups = groups
        self.notes = notes
    }
}

/// What was let out (the body of `POST /v1/ask`). A receipt's answer digest is SHA-256 over these bytes as sent.
public struct Answer: Sendable, Hashable, Codable {
    public struct Column: Sendable, Hashable, Codable {
        public var name: String
        public var type: String
        public var isKey: Bool

        public init(name: String, type: String, isKey: Bool) {
            self.name = name
            self.type = type
            self.isKey = isKey
        }
    }

    /// A value with the 95 % interval of its privacy noise.
    public struct Cell: Sendable, Hashable, Codable {
        public var value: Scalar
        /// `.text("-Infinity")` and `.text("Infinity")` where unbounded.
        public var lower: Scalar?
        public var upper: Scalar?

        public init(value: Scalar, lower: Scalar? = nil, upper: Scalar? = nil) {
            self.value = value
            self.lower = lower
            self.upper = upper
        }
    }

    public var request: String
    public var dataset: String
    public var version: String
    public var sql: String
    public var charge: Loss
    public var columns: [Column]
    public var rows: [[Cell]]
    public var notes: [String]
    public var guarantees: Guarantees
    /// True for an answer on mock data: made up, charged nothing, without a receipt.
    public var mock: Bool
    /// 128 random bits, hex: without them whoever sees an answer's digest, in a receipt or in the journal, could find a
    /// small answer by trying. nil for mock answers, whose digest nobody names, and for what was released before.
    public var nonce: String?

    public init(
        request: String, dataset: String, version: String, sql: String, charge: Loss, columns: [Column],
        rows: [[Cell]], notes: [String], guarantees: Guarantees, mock: Bool, nonce: String? = nil
    ) {
        self.request = request
        self.dataset = dataset
        self.version = version
        self.sql = sql
        self.charge = charge
        self.columns = columns
        self.rows = rows
        self.notes = notes
        self.guarantees = guarantees
        self.mock = mock
        self.nonce = nonce
    }
}

/// A request and where it stands (`GET /v1/requests`, and the body of a 202).
public struct RequestSummary: Sendable, Hashable, Codable {
    public var id: String
    public var researcher: String
    public var dataset: String
    public var sql: String
    public var charge: Loss
    /// "pending", "reserved", "released", "denied", "lapsed", "refused".
    public var state: String
    public var approvals: [String]
    public var approvalsNeeded: Int
    public var reason: String?
    /// RFC 3339, UTC.
    public var created: String

    public init(
        id: String, researcher: String, dataset: String, sql: String, charge: Loss, state: String,
        approvals: [String], approvalsNeeded: Int, reason: String?, created: String
    ) {
        self.id = id
        self.researcher = researcher
        self.dataset = dataset
        self.sql = sql
        self.charge = charge
        self.state = state
        self.approvals = approvals
        self.approvalsNeeded = approvalsNeeded
        self.reason = reason
        self.created = created
    }
}

/// What a population's ledger has left (`GET /v1/budget`). A researcher sees only her own row and the site's total.
public struct BudgetReport: Sendable, Hashable, Codable {
    public struct Line: Sendable, Hashable, Codable {
        /// "all researchers", "researcher NAME" or "window 7d".
        public var scope: String
        public var limit: Loss
        public var spent: Loss
        public var remaining: Loss

        public init(scope: String, limit: Loss, spent: Loss, remaining: Loss) {
            self.scope = scope
            self.limit = limit
            self.spent = spent
            self.remaining = remaining
        }
    }

    public var population: String
    public var datasets: [String]
    public var lines: [Line]
    /// What a question is charged at least.
    public var leastCharge: Loss?
    /// When the total was raised last, and from what to what; nil if it never was.
    public var raised: String?

    public init(
        population: String, datasets: [String], lines: [Line], leastCharge: Loss? = nil, raised: String? = nil
    ) {
        self.population = population
        self.datasets = datasets
        self.lines = lines
        self.leastCharge = leastCharge
        self.raised = raised
    }
}

/// An entry of the audit trail (`GET /v1/audit`): who asked what, when, for how much; what was refused and why.
public struct AuditEntry: Sendable, Hashable, Codable {
    public var index: Int64
    public var time: String
    /// "released", "refused", "denied", "approved", "user added", "dataset added", ...
    public var action: String
    public var actor: String
    public var dataset: String?
    public var detail: String
    public var charge: Loss?
    /// SHA-256 of the journal up to and with this entry, hex.
    public var hash: String

    public init(
        index: Int64, time: String, action: String, actor: String, dataset: String?, detail: String, charge: Loss?,
        hash: String
    ) {
        self.index = index
        self.time = time
        self.action = action
        self.actor = actor
        self.dataset = dataset
        self.detail = detail
        self.charge = charge
        self.hash = hash
    }
}

/// An owner's decision (`POST /v1/requests/{id}/approve` or `/deny`).
public struct DecisionRequest: Sendable, Hashable, Codable {
    public var reason: String?

    public init(reason: String? = nil) {
        self.reason = reason
    }
}

/// A problem document (RFC 9457), `application/problem+json`.
public struct Problem: Sendable, Hashable, Codable, Error {
    /// "urn:parley:problem:over-budget" and so on.
    public var type: String
    public var title: String
    public var status: Int
    public var detail: String
    /// The next step.
    public var hint: String?
    /// The 0-based UTF-8 offset in the SQL text, where the problem has one.
    public var position: Int?

    public init(
        type: String, title: String, status: Int, detail: String, hint: String? = nil, position: Int? = nil
    ) {
        self.type = type
        self.title = title
        self.status = status
        self.detail = detail
        self.hint = hint
        self.position = position
    }
}
