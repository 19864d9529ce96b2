import Foundation

/// Finds the operation of a method and path.
struct RouteTable: Sendable {
    enum Match: Equatable {
        case operation(Endpoint, parameter: String?)
        /// The path exists; it takes these methods.
        case otherMethods([String])
        case none
    }

    private let exact: [String: [Endpoint]]
    private let templates: [(segments: [Substring], operation: Endpoint)]

    init() {
        exact = Dictionary(grouping: Endpoint.allCases.filter { !$0.template.contains("{") }, by: \.template)
        templates = Endpoint.allCases.filter { $0.template.contains("{") }
            .map { (Self.segments($0.template), $0) }
    }

    /// HEAD is GET without the body (RFC 9110, section 9.3.2).
    func match(method: String, path: String) -> Match {
        let candidates: [(operation: Endpoint, parameter: String?)]
        if let operations = exact[path] {
            candidates = operations.map { ($0, nil) }
        } else {
            let segments = Self.segments(path)
            candidates = templates.compactMap { template in
                let isLong = template.operation.takesRest && segments.count > template.segments.count
                let path = isLong ? Self.joined(segments, to: template.segments.count) : segments
                return Self.parameter(of: path, in: template.segments).map { (template.operation, $0) }
            }
        }
        let wanted = method == "HEAD" ? "GET" : method
        if let found = candidates.first(where: { $0.operation.method == wanted }) {
            return .operation(found.operation, parameter: found.parameter)
        }
        guard !candidates.isEmpty else { return .none }
        let methods = Set(candidates.map(\.operation.method))
        return .otherMethods((methods.contains("GET") ? methods.union(["HEAD"]) : methods).sorted())
    }

    /// The last of so many segments is the rest of the path.
    private static func joined(_ segments: [Substring], to count: Int) -> [Substring] {
        segments.prefix(count - 1) + [segments.dropFirst(count - 1).joined(separator: "/")[...]]
    }

    private static func segments(_ path: String) -> [Substring] {
        path.split(separator: "/", omittingEmptySubsequences: false)
    }

    private static func parameter(of segments: [Substring], in template: [Substring]) -> String? {
        guard segments.count == template.count else { return nil }
        var parameter: String?
        for (segment, pattern) in zip(segments, template) {
            if pattern.hasPrefix("{") {
                guard let text = String(segment).removingPercentEncoding, !text.isEmpty else { return nil }
                parameter = text
            } else if segment != pattern {
                return nil
            }
        }
        return parameter
    }
}
