import Datasite
import DatasiteProtocol
import HTTPTypes
import Hummingbird

/// From a request to a response, whatever happens: routing, authentication, roles, and one problem document for each
/// way to fail.
struct DatasiteResponder: HTTPResponder {
    typealias Context = Exchange

    let routes: Routes
    let metrics: Metrics
    let log: RefusalLog
    let admission: Admission
    let isBehindProxy: Bool
    private let table = RouteTable()

    init(
        datasite: Datasite, limits: ServerLimits, metrics: Metrics, log: RefusalLog, admission: Admission,
        isBehindProxy: Bool
    ) {
        routes = Routes(datasite: datasite, limits: limits)
        self.metrics = metrics
        self.log = log
        self.admission = admission
        self.isBehindProxy = isBehindProxy
    }

    func respond(to request: Request, context: Exchange) async throws -> Response {
        let start = ContinuousClock.now
        var record = RequestRecord(method: request.method.rawValue, peer: peer(of: request, context))
        var response = await answer(request, context, &record)
        if request.method == .head { response = response.createHeadResponse() }
        record.status = response.status.code
        record.duration = start.duration(to: .now)
        metrics.count(record)
        log.write(record)
        return response
    }

    private func answer(_ request: Request, _ context: Exchange, _ record: inout RequestRecord) async -> Response {
        do {
            let target = request.head.path ?? ""
            guard target.utf8.count <= routes.limits.targetBytes else {
                // A path so long leads nowhere; a query so long is none that a resource takes.
                throw target.prefix { $0 != "?" }.utf8.count <= routes.limits.targetBytes
                    ? Problem.invalidRequest("the query is longer than any that this server takes")
                    : Problem.targetTooLong
            }
            switch table.match(method: request.method.rawValue, path: request.uri.path) {
            case .none: throw Problem.notFound
            case .otherMethods(let methods): return Reply.problem(.methodNotAllowed(methods), allow: methods)
            case .operation(let operation, let parameter):
                record.operation = operation
                let identity = try identity(of: request, on: context.connection, for: operation)
                record.user = identity?.name
                return try await routes.respond(
                    to: Call(operation: operation, parameter: parameter ?? "", request: request, identity: identity))
            }
        } catch let problem as Problem {
            record.problem = problem.type
            return Reply.problem(problem)
        } catch {
            // The kind of an unforeseen error is logged, never its text: it might hold what was being computed.
            record.problem = Problem.internalError.type
            record.failure = String(describing: type(of: error))
            return Reply.problem(.internalError)
        }
    }

    private func identity(
        of request: Request, on connection: ObjectIdentifier, for operation: Endpoint
    ) throws -> Identity? {
        guard let roles = operation.roles else { return nil }
        let token = Self.bearerToken(request.headers[.authorization])
        let identity = try token.flatMap { try routes.datasite.authenticate($0) }
        admission.recognise(connection, identity != nil)
        guard let identity else { throw Problem.unauthenticated }
        guard roles.contains(identity.role) else { throw Problem.forbidden(identity.role, allowed: roles) }
        return identity
    }

    /// The token of `Authorization: Bearer TOKEN` (RFC 6750, section 2.1); the scheme's case does not matter.
    static func bearerToken(_ header: String?) -> String? {
        guard let header else { return nil }
        let parts = header.split(separator: " ", maxSplits: 1)
        guard parts.count == 2, parts[0].lowercased() == "bearer" else { return nil }
        return parts[1].trimmingPrefix { $0 == " " }.isEmpty ? nil : String(parts[1])
    }

    /// A proxy appends the address it saw; earlier elements are the client's own claim.
    private func peer(of request: Request, _ context: Exchange) -> String {
        guard isBehindProxy, let last = request.headers[.forwardedFor]?.split(separator: ",").last else {
            return context.peer
        }
        return String(last.filter { $0.isHexDigit || ".:".contains($0) }.prefix(45))
    }
}
