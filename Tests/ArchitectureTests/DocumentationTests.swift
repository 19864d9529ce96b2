import Foundation
import Testing

@Suite("Public declarations are documented")
struct DocumentationTests {
    let repository = Repository()

    @Test("Every public declaration of a module has a doc comment")
    func everyDeclarationHasAComment() throws {
        for source in try repository.sources() {
            for (number, declaration) in Declarations(source).undocumented {
                Issue.record("\(source.path):\(number): \(declaration) has no doc comment")
            }
        }
    }

    @Test("Every declaration of the C headers has a doc comment")
    func everyKernelHasAComment() throws {
        let folder = "Sources/Kernels/include"
        let headers = try FileManager.default.contentsOfDirectory(atPath: repository.root.appending(path: folder).path)
            .filter { $0.hasSuffix(".h") }
        #expect(headers.count > 1)
        for header in headers {
            let lines = try repository.text("\(folder)/\(header)").components(separatedBy: "\n")
            var previous = ""
            // How many parentheses are open: inside of them a declaration goes on.
            var open = 0
            for (number, line) in lines.enumerated() {
                let line = line.trimmingCharacters(in: .whitespaces)
                let isDeclaration = !line.isEmpty && !["#", "}", "//"].contains { line.hasPrefix($0) }
                #expect(!isDeclaration || open > 0 || previous.hasPrefix("///"), "\(header):\(number + 1): \(line)")
                if isDeclaration { open += line.count { $0 == "(" } - line.count { $0 == ")" } }
                previous = line
            }
        }
    }

    @Test("The check finds what has no comment, and asks none of what is not public or says what a protocol says")
    func checkFinds() {
        let text = """
            /// Documented.
            public struct A: Sendable {
                public var b: Int
                /// Documented.
                @inlinable
                public func c() { if true { let case = "public var x" } }
                // No doc comment.
                private(set) public var d = 0
                var internalOne = 1
                public static func == (a: A, b: A) -> Bool { true }
                public var description: String { "" }
                public init(from decoder: any Decoder) throws {}
            }
            public enum E {
                /// Documented.
                case f, g
                case h
                public func i() { switch self { case .h: break } }
            }
            extension A {
                public subscript(j: Int) -> Int { j }
            }
            /// Documented.
            public protocol P {
                func k()
            }
            enum Hidden {
                case l
            }
            """
        let source = Repository.Source(module: "M", path: "A.swift", lines: text.components(separatedBy: "\n"))
        #expect(Declarations(source).undocumented.map(\.line) == [3, 8, 14, 17, 18, 21, 25])
    }
}

/// The public declarations of one file, found line by line: as `swift format` lays them out, each begins its line.
private struct Declarations {
    /// Those without a doc comment: the number of the line, from 1, and its text.
    private(set) var undocumented: [(line: Int, text: String)] = []

    /// What is open at a line: the body of a public enum or protocol, whose members are public, or any other braces.
    private enum Body {
        case cases
        case requirements
        case other
    }

    init(_ source: Repository.Source) {
        var bodies: [Body] = []
        var isDocumented = false
        for (number, line) in source.code.enumerated() {
            let code = line.trimmingCharacters(in: .whitespaces)
            let text = source.lines[number].trimmingCharacters(in: .whitespaces)
            if Self.isPublic(code, in: bodies.last), !isDocumented, !Self.isExplainedElsewhere(code) {
                undocumented.append((number + 1, text))
            }
            // Attributes stand between a comment and what it explains.
            isDocumented = text.hasPrefix("///") || (isDocumented && text.hasPrefix("@"))
            for character in code {
                if character == "{" { bodies.append(Self.body(code)) }
                if character == "}" { _ = bodies.popLast() }
            }
        }
    }

    private static let kinds: Set<Substring> = [
        "var", "let", "func", "init", "struct", "enum", "class", "actor", "protocol", "typealias", "subscript",
        "associatedtype",
    ]

    private static func isPublic(_ code: String, in body: Body?) -> Bool {
        let words = code.split { !($0.isLetter || $0 == "_") }
        switch body {
        case .cases where words.first == "case" || words.prefix(2) == ["indirect", "case"]: return true
        case .requirements where words.contains(where: kinds.contains): return true
        default:
            // `private(set) public var` and the like.
            guard let place = words.prefix(6).firstIndex(of: "public"), words.first != "import" else { return false }
            let rest = words[place...].dropFirst().prefix(6)
            return !rest.prefix(1).contains("import") && rest.contains { kinds.contains($0) }
                && !rest.prefix(1).contains("extension")
        }
    }

    private static func body(_ code: String) -> Body {
        if code.contains(/\bpublic (indirect )?enum\b/) { return .cases }
        return code.contains(/\bpublic protocol\b/) ? .requirements : .other
    }

    /// Requirements of protocols of the standard library, and of the one that a model's layers conform to, which say what they do.
    private static func isExplainedElsewhere(_ code: String) -> Bool {
        code.contains(
            /\b(var (description|debugDescription|customMirror|errorDescription)\b|func (==|<) |func (hash\(into|encode\(to):?|init\(from decoder)/
        )
            || code.contains(
                /\b(static let kind =|var name: String\?|init\(_ fields: inout LayerFields|var fields: \[LayerField\])|func (place\(_ name: String|outline\(_ input: \[Int\]|forward\(_ input: Tensor|backward\(_ gradient: Tensor)/
            )
    }
}
