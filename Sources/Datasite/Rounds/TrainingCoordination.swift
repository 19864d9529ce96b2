import Crypto
public import DatasiteProtocol
import DifferentialPrivacy
public import Federation
import Foundation
import Governance
public import Learning
import Secrets

extension FederatedRequest: CoordinatedRounds {
    /// The engine that is asked.
    public static var engine: String { FederatedWork.engine.rawValue }

    /// As the plan says.
    public var averaging: Float? { (try? TrainingDocument(plan))?.averaging }

    /// What all sites would train.
    public func agreed(
        _ agreements: [FederatedAgreement], by sites: [CoordinatedSite]
    ) throws -> FederatedAgreement {
        try CoordinatedSite.check(sites, declare: agreements.map(\.inputs), "what is trained on")
        let first = agreements[0]
        for (site, other) in zip(sites, agreements).dropFirst() {
            guard first.plan == other.plan, first.architecture == other.architecture else {
                throw Problem.conflict(
                    "\(sites[0].name) and \(site.name) would do different things by this plan",
                    hint:
                        "their versions of Parley may differ, or their policies' deltas: say `privacy.delta` in the plan"
                )
            }
        }
        return first
    }

    /// The plan, and weights that are drawn here.
    public func beginning(_ agreement: FederatedAgreement) throws -> (plan: FederatedPlan, weights: [Float]) {
        let model: Model
        do throws(ModelError) { model = try Architecture.model(json: Array(agreement.architecture.utf8)) } catch {
            throw Problem.unavailable("the sites' model cannot be read here: \(error)")
        }
        var random = SecureRandom()
        return (agreement.plan, model.trained(model.initialParameters(using: &random)))
    }
}

extension Coordination where Work == FederatedRequest {
    /// A run of training that nobody was asked for yet.
    ///
    /// - Parameter address: Where sites dial out to.
    /// - Throws: A `Problem`: an address or a plan that is none.
    public init(plan: String, sites: [CoordinatedSite], address: String) throws {
        let key = Curve25519.Signing.PrivateKey()
        let invitation = try RoundsInvitation(sites: sites.map(\.key), address: address, key: key)
        let document = try TrainingDocument(plan)
        guard document.federation != nil, document.dataset != nil else {
            throw Problem.invalidManifest(
                document.dataset == nil
                    ? "`data` names files, not a dataset of the sites" : "the key `federation` is missing",
                hint:
                    "`parley simulate PLAN --data FOLDER` tries a plan on files of your own; a plan for datasites names their dataset: "
                    + "data: {dataset: NAME, features: [...], label: NAME}")
        }
        self.init(FederatedRequest(plan: plan, invitation: invitation), sites: sites, key: key)
    }

    /// The plan's name.
    public var name: String { (try? TrainingDocument(request.plan))?.name ?? "run" }

    /// With noise: what so many begun rounds come to, at the plan's delta; nil without.
    public func epsilon(after attempts: Int) -> Double? {
        guard let plan = agreement?.plan, attempts > 0, case .repeated(let step, _)? = try? plan.event(),
            let delta = (try? TrainingDocument(request.plan))?.privacy?.delta, var accountant = try? RenyiAccountant(),
            (try? accountant.compose(.repeated(step, times: attempts))) != nil
        else { return nil }
        return (try? accountant.epsilon(delta: delta))?.upper
    }

    // MARK: What came of it

    /// Whether a site's release is of this run.
    ///
    /// - Parameter place: The site's.
    public func isReleased(_ model: ReleasedModel, by place: Int) -> Bool {
        guard let federation = model.federation, let agreement else { return false }
        let invitation = request.invitation
        return federation.run == invitation.run && federation.sites == invitation.sites && federation.place == place
            && federation.coordinatorKey == invitation.coordinatorKey && model.plan == request.plan
            && federation.planDigest == hexadecimal(agreement.plan.digest)
    }

    /// Writes the model of all rounds, and its curve.
    ///
    /// - Returns: The files' names.
    public func write(_ weights: [Float], _ curve: RoundCurve, into path: String) throws -> [String] {
        guard let agreement else { return [] }
        let folder = TrainingFolder(path: path)
        let parameters: Parameters
        do throws(ModelError) {
            let model = try Architecture.model(json: Array(agreement.architecture.utf8))
            parameters = try model.parameters(FederatedTerms.shapes(of: model), trained: weights)
        } catch { throw Problem.invalidData("\(error)") }
        let files: [(TrainingFolder.File, [UInt8])] = [
            (.weights, SafeTensors.write(parameters)), (.architecture, Array(agreement.architecture.utf8)),
            (.plan, Array(request.plan.utf8)), (.curves, Array(curve.jsonLines.utf8)),
            (.plot, Array(curve.svg(title: name).utf8)),
        ]
        for (file, content) in files { try folder.write(content, to: file) }
        return files.map(\.0.rawValue)
    }
}
