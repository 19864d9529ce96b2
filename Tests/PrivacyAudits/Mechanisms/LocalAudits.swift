import DifferentialPrivacy
import Testing

/// Reports of devices keep their promise whatever the categories; broken copies do not.
@Suite("Audits of local mechanisms")
struct LocalAudits {
    @Test("Randomised response holds its epsilon; odds for two categories among many are caught")
    func response() throws {
        let claim = PrivacyClaim.pure(epsilon: 1)
        for categories in [2, 20] {
            let mechanism = try RandomizedResponse(epsilon: 1, categories: categories)
            try Audit("response of \(categories)", claim).holds(
                { try mechanism.report(0, using: &$0) }, { try mechanism.report(1, using: &$0) })
        }
        // A coin for two, then any category: each false one has a twentieth of what it needs.
        let coin = try RandomizedResponse(epsilon: 1)
        func broken(_ category: Int) -> Audit.Draw<Int> {
            { random in
                let isTrue = try coin.report(true, using: &random)
                return isTrue ? category : Int(random.next(upperBound: 20 as UInt64))
            }
        }
        try Audit("response, a coin for two among twenty", claim).catches(broken(0), broken(1))
    }

    @Test("Unary encoding holds its epsilon in both forms; the whole epsilon for each bit is caught")
    func unary() throws {
        func bits(_ mechanism: UnaryEncoding, _ category: Int) -> Audit.Draw<Int> {
            { try mechanism.report(category, using: &$0).reduce(0) { 2 * $0 + ($1 ? 1 : 0) } }
        }
        let claim = PrivacyClaim.pure(epsilon: 2)
        for form in [UnaryEncoding.Form.symmetric, .optimized] {
            let mechanism = try UnaryEncoding(epsilon: 2, categories: 4, form: form)
            try Audit("unary \(form)", claim).holds(bits(mechanism, 0), bits(mechanism, 3))
        }
        let doubled = try UnaryEncoding(epsilon: 4, categories: 4, form: .symmetric)
        try Audit("unary, epsilon for each bit", claim).catches(bits(doubled, 0), bits(doubled, 3))
    }

    @Test("A report and the number of words drawn for it, together, hold epsilon")
    func words() throws {
        // The report and the words drawn for it, together: time tells nothing either.
        struct Counting: RandomNumberGenerator {
            var random: AuditRandom
            var words = 0
            mutating func next() -> UInt64 {
                words += 1
                return random.next()
            }
        }
        let mechanism = try RandomizedResponse(epsilon: 1, categories: 5)
        func draw(_ category: Int) -> Audit.Draw<Int> {
            { random in
                var counting = Counting(random: random)
                let report = try mechanism.report(category, using: &counting)
                random = counting.random
                return 100 * counting.words + report
            }
        }
        try Audit("response with its words", .pure(epsilon: 1)).holds(draw(0), draw(4))
    }
}
