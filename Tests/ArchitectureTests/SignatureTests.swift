import Testing

@Suite("Calls can be read without their declaration")
struct SignatureTests {
    let repository = Repository()

    @Test("No function has more than three parameters without a label")
    func parametersHaveLabels() throws {
        for source in try repository.sources() {
            let code = source.code.joined(separator: "\n")
            for signature in Self.signatures(in: code) where signature.unlabelled > 3 {
                Issue.record("\(source.path): \(signature.name) has \(signature.unlabelled) parameters without a label")
            }
        }
    }

    @Test("The check counts parameters, whatever their types hold")
    func checkCounts() {
        let code = """
            func a(_ b: Int, _ c: (Int, _ d: Int) -> [Int: Int], e f: Int = g(1, 2)) {}
            init?<T>(
                _ b: borrowing T, _ c: inout Int,
                _ d: @escaping (Int) -> Int,
                _ e: Int
            ) { Self.init(1, 2) }
            """
        #expect(Self.signatures(in: code).map(\.unlabelled) == [2, 4])
    }

    private static func signatures(in code: String) -> [(name: Substring, unlabelled: Int)] {
        code.matches(of: /(?:^|[^.\w])((?:func\s+[^\s(<]+|init[?]?|subscript)(?:<[^(]*>)?\s*)\(/).map { match in
            (match.1, unlabelled(code[match.range.upperBound...]))
        }
    }

    /// How many of the parameters up to the closing parenthesis have no label.
    private static func unlabelled(_ rest: Substring) -> Int {
        var depth = 0
        var count = 0
        var isStart = true
        for (character, next) in zip(rest, rest.dropFirst()) {
            if isStart, !character.isWhitespace {
                isStart = false
                if character == "_", next == " " { count += 1 }
            }
            switch character {
            case "(", "[", "{": depth += 1
            case ")" where depth == 0: return count
            case ")", "]", "}": depth -= 1
            case "," where depth == 0: isStart = true
            default: break
            }
        }
        return count
    }
}
