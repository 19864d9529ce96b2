import DatasiteProtocol
import Foundation

/// What a site is asked to train with others: a plan, and with whom. It is sent as one object, `plan` beside the invitation's members.
public struct FederatedRequest: Sendable, Hashable, Codable {
    /// The plan's text, the same at all sites.
    public var plan: String
    /// Which run, among whom.
    public var invitation: RoundsInvitation

    /// A request, by its parts.
    public init(plan: String, invitation: RoundsInvitation) { (self.plan, self.invitation) = (plan, invitation) }

    /// - Throws: A `JSONError`, or a `Problem`: what is wrong in it.
    init(_ request: StrictObject) throws {
        var request = request
        plan = try request.string("plan")
        invitation = try RoundsInvitation(&request)
        try request.finish()
        guard plan.utf8.count <= TrainingWork.largestPlan else {
            throw Problem.tooLarge("a plan has at most \(TrainingWork.largestPlan >> 10) KiB")
        }
        try Submission.checkStored(plan, as: "a plan")
    }

    private enum CodingKeys: CodingKey { case plan }

    public init(from decoder: any Decoder) throws {
        plan = try decoder.container(keyedBy: CodingKeys.self).decode(String.self, forKey: .plan)
        invitation = try RoundsInvitation(from: decoder)
    }

    public func encode(to encoder: any Encoder) throws {
        try invitation.encode(to: encoder)
        var members = encoder.container(keyedBy: CodingKeys.self)
        try members.encode(plan, forKey: .plan)
    }
}
