/// A small table with a manifest, for tests that need no real data: 60 people, two rows each.
enum SmallSurvey {
    static let csv = csv(people: 60)

    static func csv(people: Int) -> String {
        var text = "person,arm,visits\n"
        for person in 1...people {
            for visit in 0..<2 { text += "p\(person),\(person % 2 == 0 ? "even" : "odd"),\(person % 7 + visit)\n" }
        }
        return text
    }

    static func manifest(
        _ name: String = "survey", population: String = "people", epsilon: Double = 100, approval: String = "automatic",
        leastShare: String = "1e-4"
    ) -> String {
        """
        name: \(name)
        title: A small survey
        description: People and their visits.
        population: \(population)
        unit:
          column: person
          rows: 2
          groups: 2
        capacity:
          rows: 1000
          units: 500
        policy:
          loss: pure
          total: {epsilon: \(epsilon)}
          least-share: \(leastShare)
          approval: \(approval)
        columns:
          - name: person
            type: text
            nullable: false
            description: The person.
          - name: arm
            type: text
            domain: [even, odd]
            nullable: false
            description: The arm of the study.
          - name: visits
            type: integer
            bounds: [0, 10]
            nullable: false
            description: Visits to a doctor.
        """
    }
}
