/// A model that was trained at a datasite, or at several together, and let out: the document of the engines `training` and `federated-training`. A receipt's
/// answer digest is SHA-256 over these bytes as sent.
public struct ReleasedModel: Sendable, Hashable, Codable {
    /// What is promised to each unit, and the noise that holds it.
    public struct Privacy: Sendable, Hashable, Codable {
        /// Whom it protects, as the manifest names it.
        public var unit: String
        /// The most rows of a unit that were used.
        public var rowsPerUnit: Int
        /// Over all steps, at `delta`, by privacy loss distributions; nil: by the ledger's curve alone.
        public var epsilon: Double?
        /// What the ledger's curve converts to at `delta`: what was charged comes to it.
        public var chargedEpsilon: Double
        /// The policy's.
        public var delta: Double
        /// The noise's standard deviation over the sensitivity.
        public var noiseMultiplier: Double
        /// At the first step.
        public var clippingNorm: Double
        /// Whether the norm followed the units' norms, which is charged too.
        public var isAdaptive: Bool
        /// With which probability each unit was in a step's sample.
        public var samplingRate: Double
        /// How many steps were taken.
        public var steps: Int

        /// A promise, by its parts.
        public init(
            unit: String, rowsPerUnit: Int, epsilon: Double?, chargedEpsilon: Double, delta: Double,
            noiseMultiplier: Double, clippingNorm: Double, isAdaptive: Bool, samplingRate: Double, steps: Int
        ) {
            self.unit = unit
            self.rowsPerUnit = rowsPerUnit
            self.epsilon = epsilon
            self.chargedEpsilon = chargedEpsilon
            self.delta = delta
            self.noiseMultiplier = noiseMultiplier
            self.clippingNorm = clippingNorm
            self.isAdaptive = isAdaptive
            self.samplingRate = samplingRate
            self.steps = steps
        }
    }

    /// With whom it was trained.
    public struct Federation: Sendable, Hashable, Codable {
        /// The run, in hexadecimal digits.
        public var run: String
        /// The Ed25519 keys of all sites, in base64.
        public var sites: [String]
        /// This site's place among them, from 0.
        public var place: Int
        /// Where the rounds were coordinated.
        public var coordinator: String
        /// The coordinator's Ed25519 key, in base64.
        public var coordinatorKey: String
        /// SHA-256 of what all sites did, in hexadecimal digits.
        public var planDigest: String
        /// What a coordinator could see: "plain", "masked" or "distributedNoise".
        public var aggregation: String
        /// How many rounds changed the model.
        public var rounds: Int
        /// In how many of their sums this site's update is.
        public var contributions: Int
        /// How many more could have been begun; they are charged.
        public var spareRounds: Int
        /// Below so many sites' updates nothing was opened.
        public var least: Int
        /// So many sites in league with the coordinator learn no more than is said; nil where each update is seen.
        public var colluders: Int?

        /// A run, by its parts.
        public init(
            run: String, sites: [String], place: Int, coordinator: String, coordinatorKey: String, planDigest: String,
            aggregation: String, rounds: Int, contributions: Int, spareRounds: Int, least: Int, colluders: Int?
        ) {
            (self.run, self.sites, self.place) = (run, sites, place)
            (self.coordinator, self.coordinatorKey, self.planDigest) = (coordinator, coordinatorKey, planDigest)
            (self.aggregation, self.rounds, self.spareRounds) = (aggregation, rounds, spareRounds)
            self.contributions = contributions
            (self.least, self.colluders) = (least, colluders)
        }
    }

    /// What a step showed: all of it follows from noisy sums.
    public struct Point: Sendable, Hashable, Codable {
        /// After so many steps.
        public var step: Int
        /// Of these steps, by the ledger's curve; nil where it is too large to be one.
        public var epsilon: Double?
        /// Of the next step.
        public var clippingNorm: Double
        /// The L2 norm of the step's noisy mean gradient.
        public var gradientNorm: Double

        /// A point, by its parts.
        public init(step: Int, epsilon: Double?, clippingNorm: Double, gradientNorm: Double) {
            self.step = step
            self.epsilon = epsilon
            self.clippingNorm = clippingNorm
            self.gradientNorm = gradientNorm
        }
    }

    /// The request's id.
    public var request: String
    /// The dataset.
    public var dataset: String
    /// Its version.
    public var version: String
    /// The plan's text, as it was asked.
    public var plan: String
    /// What it cost.
    public var charge: Loss
    /// What is promised; nil: no epsilon is.
    public var privacy: Privacy?
    /// With whom it was trained; nil: at one site.
    public var federation: Federation?
    /// The layers: JSON.
    public var architecture: String
    /// `safetensors`, in base64.
    public var weights: String
    /// After some of the steps.
    public var curve: [Point]
    /// What people should know of the model, in Markdown.
    public var card: String
    /// What must be known to use it.
    public var notes: [String]
    /// The five parts of structured transparency.
    public var guarantees: Guarantees
    /// Random, so that a digest tells nothing of what it is a digest of.
    public var nonce: String

    /// A model, by its parts.
    public init(
        request: String, dataset: String, version: String, plan: String, charge: Loss, privacy: Privacy?,
        federation: Federation? = nil, architecture: String, weights: String, curve: [Point], card: String,
        notes: [String], guarantees: Guarantees,
        nonce: String
    ) {
        self.request = request
        self.dataset = dataset
        self.version = version
        self.plan = plan
        self.charge = charge
        self.privacy = privacy
        self.federation = federation
        self.architecture = architecture
        self.weights = weights
        self.curve = curve
        self.card = card
        self.notes = notes
        self.guarantees = guarantees
        self.nonce = nonce
    }
}
