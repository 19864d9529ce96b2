/// A question of the demonstration, beside what the experiment itself published.
struct DemonstrationQuestion {
    var title: String
    var sql: String
    var epsilon: Double
    /// What was published, as a direction: the table here has other prices and bounds than the papers' tables.
    var published: String
    /// Whether the noisy answer shows that direction; given the values of the first estimates by label of the group.
    var agrees: @Sendable (_ estimates: [String: [Double]]) -> Bool

    /// Manning et al.: "Health Insurance and the Demand for Medical Care: Evidence from a Randomized Experiment",
    /// American Economic Review 77 (1987), 251 to 277. Newhouse and the Insurance Experiment Group: "Free for All?",
    /// Harvard University Press 1993.
    static let all = [
        DemonstrationQuestion(
            title: "Does cost sharing reduce visits to the doctor?",
            sql: """
                SELECT coins, COUNT(*) AS person_years, AVG(CLAMP(mdvis, 0, 20)) AS visits
                FROM randhie WHERE idp = 0 GROUP BY coins HAVING COUNT(*) > 100
                """,
            epsilon: 1,
            published: "Manning et al. 1987: visits fall as the family's share of the bill rises; most with free care.",
            agrees: { falls(in: $0, from: "0", to: "95", estimate: 1) }),
        DemonstrationQuestion(
            title: "And spending, by arm of the experiment?",
            sql: """
                SELECT arm, AVG(CLAMP(meddol, 0, 1000)) AS spending
                FROM randhie JOIN plans ON randhie.plan = plans.plan GROUP BY arm
                """,
            epsilon: 1,
            published: "Manning et al. 1987: people with free care spend more than those who pay 95 %.",
            agrees: { falls(in: $0, from: "free care", to: "95 % coinsurance", estimate: 0) }),
        DemonstrationQuestion(
            title: "Do the better-off use medical care more?",
            sql: """
                SELECT CASE WHEN income < 5000 THEN 'below 5,000' WHEN income < 10000 THEN '5,000 to 10,000'
                       ELSE 'above 10,000' END AS family_income, AVG(binexp) AS any_use
                FROM randhie GROUP BY family_income
                """,
            epsilon: 0.5,
            published: "Manning et al. 1987: the chance of any use in a year rises with income.",
            agrees: { falls(in: $0, from: "above 10,000", to: "below 5,000", estimate: 0) }),
        DemonstrationQuestion(
            title: "How is spending spread?",
            sql: """
                SELECT MEDIAN(meddol) AS median, QUANTILE(meddol, 0.9) AS nine_in_ten_below,
                       AVG(meddol) AS mean, STDDEV(meddol) AS deviation FROM randhie
                """,
            epsilon: 1,
            published:
                "Newhouse 1993: spending is highly skewed; a few spend most, so the mean is far above the median.",
            agrees: { estimates in
                guard let row = estimates.values.first, row.count >= 3 else { return false }
                return row[2] > row[0]
            }),
    ]

    private static func falls(in estimates: [String: [Double]], from: String, to: String, estimate: Int) -> Bool {
        guard let high = estimates[from], let low = estimates[to], high.count > estimate, low.count > estimate else {
            return false
        }
        return high[estimate] > low[estimate]
    }
}
