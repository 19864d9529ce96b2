import DatasiteProtocol
import Foundation
import ModularArithmetic
import SecureComputation
import Synchronization
import Testing

@testable import Datasite
@testable import Federation

/// Three datasites in one process, over the whole pipeline, with who relays between them: two have tables that are joined, the third computes alone.
@Suite("Statistics of who is in two sites' tables", .timeLimit(.minutes(20)))
struct JoinComputationTests {
    static let rule =
        "analyses: [joined-statistics], columns: [age, charges, member, region], result: exact, uses: 100, approval: automatic"
    /// On the grid of 2^-14 of half the bounds' width, so that what is added up is exactly what is in the files.
    static let (age, charges, member) = (
        JoinRequest.Column(site: 0, "age", 0, 128), JoinRequest.Column(site: 1, "charges", -512, 512),
        JoinRequest.Column(site: 1, "member", 0, 1)
    )
    static let regions = ["north", "south", "west"]

    struct Person {
        var id: Int
        var age: Double?
        var region: String?
        var charges = 0.0
        var isMember = false
    }

    /// Of the first site: every second number; some without an age or a region.
    static let left = (0..<50).map { place in
        Person(
            id: 2 * place, age: place % 11 == 3 ? nil : Double((place * 37) % 128),
            region: place % 13 == 5 ? nil : regions[place / 3 % 3])
    }
    /// Of the second site: every third number.
    static let right = (0..<40).map { place in
        Person(id: 3 * place, charges: Double((place * 91) % 1024) / 4 - 100, isMember: place % 4 == 1)
    }

    private static func file(_ place: Int) -> String {
        switch place {
        case 0:
            left.reduce(into: "person,age,region\n") { text, person in
                let row = "\(person.id),\(person.age.map { String(Int($0)) } ?? ""),\(person.region ?? "")\n"
                // A second row of a person does not count: one of hers goes in, and they are alike.
                text += person.id % 5 == 0 ? row + row : row
            }
        case 1:
            right.reduce(into: "person,charges,member\n") { text, person in
                text += "\(person.id),\(person.charges),\(person.isMember)\n"
            }
        default: "person\n7\n"
        }
    }

    private static func manifest(_ place: Int, _ rule: String, unit: String, more: String) -> String {
        let columns = [
            """
              - {name: age, type: integer, bounds: [0, 128]}
              - {name: region, type: text, domain: [north, south, west]}
            """,
            """
              - {name: charges, type: real, bounds: [-512, 512], nullable: false}
              - {name: member, type: boolean, nullable: false}
            """, "",
        ]
        return """
            name: people
            title: People
            description: Made up
            population: joined-\(place)
            unit: \(unit)
            capacity: {rows: 300, units: \(60 + 10 * place)}
            policy: {loss: zcdp, delta: 1e-6, total: {rho: 40}, engines: {joint-computation: {\(rule)}}}
            columns:
              - {name: person, type: integer, nullable: false\(place < 2 ? ", bounds: [0, \(200 - 100 * place + 20)]" : "")}
            \(columns[place])
            \(more)
            """
    }

    private func sites(
        _ rule: String = rule, unit: String = "{column: person, rows: 3, groups: 3}",
        files: ((Int) -> String)? = nil, more: (Int) -> String = { _ in "" }
    ) throws -> FederatedSites {
        let sites = try FederatedSites(3, engines: { _ in "questions: {}" })
        let keys = sites.sites.map(\.key).joined(separator: ", ")
        for (place, site) in sites.sites.enumerated() {
            let whole = "sites: [\(keys)], coordinators: [\"\(FederatedSites.address)\"], \(rule)"
            _ = try site.site.addDataset(
                file: try site.file("people", (files ?? Self.file)(place)),
                manifestText: Self.manifest(place, whole, unit: unit, more: more(place)))
        }
        return sites
    }

    private func asked(
        _ sites: FederatedSites, _ columns: [JoinRequest.Column] = [charges, age, member],
        by: JoinRequest.Grouping? = nil, rho: Double? = nil
    ) throws -> Coordination<JoinRequest> {
        try Coordination(sites: sites.named, address: FederatedSites.address) { invitation in
            JoinRequest(
                dataset: "people", on: .init("person", 0, 220), columns: columns, by: by, rows: [60, 70, 0], rho: rho,
                invitation: invitation)
        }
    }

    private func made(
        _ sites: FederatedSites, _ asked: Coordination<JoinRequest>
    ) async throws -> (Coordination<JoinRequest>, [String], [ReleasedJoin]) {
        let coordination = try await sites.created(asked)
        let run = try sites.connect(coordination)
        let ids = try await sites.begin(coordination)
        let released = try await sites.released(ids, as: ReleasedJoin.self)
        #expect(run.progress.phase == .finished && run.progress.round < run.progress.rounds)
        for (place, document) in released.enumerated() {
            #expect(
                coordination.request.isReleased(document, by: place)
                    && !coordination.request.isReleased(document, by: (place + 1) % 3))
            #expect(coordination.request.agree(document, released[0]))
        }
        return (coordination, ids, released)
    }

    /// The plain join: age, charges, member and region of who is in both, and has an age.
    private static let joined: [Person] = left.compactMap { person in
        right.first { $0.id == person.id }.map {
            Person(
                id: person.id, age: person.age, region: person.region, charges: $0.charges, isMember: $0.isMember)
        }
    }

    @Test("Exact count, sums, means and covariances are those of a plain join of both files, at all three sites")
    func moments() async throws {
        let sites = try sites()
        let (_, ids, released) = try await made(sites, asked(sites))
        let people = Self.joined.filter { $0.age != nil }
        let first = released[0]
        #expect(people.count > 10 && people.count < Self.joined.count)
        // The first site's column comes first, whatever was asked for first.
        #expect(first.columns.map(\.name) == ["age", "charges", "member"])
        let values = people.map { [$0.age ?? 0, $0.charges, $0.isMember ? 1 : 0] }
        let count = Double(people.count)
        #expect(first.people.map(\.count) == [.init(count, deviation: nil)])
        for i in 0..<3 {
            let sum = values.reduce(0) { $0 + $1[i] }
            #expect(first.people[0].sums[i] == .init(sum, deviation: nil))
            #expect(try #require(first.people[0].means)[i] == .init(sum / count, deviation: nil))
            for j in 0..<3 {
                let other = values.reduce(0) { $0 + $1[j] }
                let expected = values.reduce(0) { $0 + ($1[i] - sum / count) * ($1[j] - other / count) } / count
                let found = try #require(first.covariances)[i][j].value
                #expect(abs(found - expected) < 1e-6, "\(i), \(j): \(found) \(expected)")
            }
        }
        for (place, id) in ids.enumerated() {
            let site = sites.sites[place]
            let receipt = try Receipt(decoding: try site.site.receipt(id, as: .ada))
            #expect(receipt.body.charge.uses == 1 && receipt.body.charge.amounts == [])
            let told = receipt.body.guarantees
            #expect(told.outputPrivacy.contains("without noise") == (place < 2), "\(told.outputPrivacy)")
            #expect(told.inputPrivacy.contains("the rows stayed") == (place < 2), "\(told.inputPrivacy)")
            #expect(told.inputVerification.contains("trusted to follow the protocol"))
            #expect(released[place].notes.contains { $0.contains("trusted to follow the protocol") })
            #expect(!released[place].notes.joined().contains("verified before"))
            #expect(try site.site.verify().problems == [])
        }
    }

    @Test(
        "By groups, counts and sums are a plain join's; who has no group is in none, also where both sites have a column of one name"
    )
    func groups() async throws {
        let sites = try sites(
            "analyses: [joined-statistics], result: exact, uses: 100, approval: automatic",
            files: { place in
                Self.file(place).split(separator: "\n").enumerated()
                    .map { $0.element + ($0.offset == 0 ? ",size" : ",\($0.offset % 9)") }.joined(separator: "\n")
                    + "\n"
            },
            more: {
                $0 < 2
                    ? "  - {name: size, type: integer, bounds: [0, \(16 * ($0 + 1))], nullable: false}"
                    : "  - {name: size, type: integer}"
            })
        let columns = [Self.charges, .init(site: 0, "size", 0, 16), .init(site: 1, "size", 0, 32)]
        let (_, _, released) = try await made(
            sites, asked(sites, columns, by: .init(site: 0, "region", Self.regions.map { .text($0) })))
        #expect(released[0].columns.map(\.site) == [0, 1, 1] && released[0].covariances == nil)
        for (place, region) in Self.regions.enumerated() {
            let own = Self.joined.filter { $0.region == region }
            let found = released[0].people[place]
            #expect(found.group == .text(region) && !own.isEmpty)
            #expect(found.count == .init(Double(own.count), deviation: nil))
            #expect(found.sums[1] == .init(own.reduce(0) { $0 + $1.charges }, deviation: nil))
        }
        #expect(Self.joined.contains { $0.region == nil })
    }

    @Test("With noise both owners are charged its loss, the third site a use alone, and deviations are told")
    func charged() async throws {
        let sites = try sites()
        let (_, ids, released) = try await made(sites, asked(sites, rho: 4))
        for (place, id) in ids.enumerated() {
            let receipt = try Receipt(decoding: try sites.sites[place].site.receipt(id, as: .ada))
            #expect(receipt.body.charge.uses == 1)
            #expect(receipt.body.charge.amounts.isEmpty == (place == 2))
            let spent = try sites.sites[place].spent(population: "joined-\(place)")
            #expect(place == 2 ? spent == 0 : (3_999_999_999_000...4_000_000_000_000).contains(spent), "\(spent)")
            let told = receipt.body.guarantees
            #expect(!told.outputPrivacy.contains("no privacy loss is bounded"), "\(told.outputPrivacy)")
            #expect(told.outputPrivacy.contains("nothing of this site's rows") == (place == 2))
        }
        #expect(released[0].notes.contains { $0.contains("1.41 times as large") && $0.contains("loses rho once") })
        // Four columns, a one among them: a person changes ten products by at most 1 each.
        let deviation = (10.0 / (2 * 4)).squareRoot() * 2.0.squareRoot()
        let told = try #require(released[0].people[0].count.deviation)
        #expect(abs(told / deviation - 1) < 1e-6, "\(told) \(deviation)")
        let sums = released[0].people[0].sums
        #expect(abs(try #require(sums[0].deviation) / (told * 64 * 2.0.squareRoot()) - 1) < 1e-12)
        #expect(abs(try #require(sums[1].deviation) / (told * 512) - 1) < 1e-12)
    }

    /// Nobody is in the tables, so that what is opened is noise alone: 256 groups of 8 numbers.
    @Test("What is opened has the noise of both owners, of the deviation that is told: without one of them this fails")
    func noise() async throws {
        let names = (0..<7).map { "c\($0)" }
        let sites = try sites(
            "analyses: [joined-statistics], result: noisy, uses: 5, approval: automatic",
            files: { place in
                ["person,age,region,kind,\(names.joined(separator: ","))\n", "person,charges,member\n", "person\n7\n"][
                    place]
            },
            more: { place in
                place > 0
                    ? ""
                    : "  - {name: kind, type: integer, domain: [\((0..<256).map(String.init).joined(separator: ", "))]}\n"
                        + names.map { "  - {name: \($0), type: real, bounds: [-1, 1]}" }.joined(separator: "\n")
            })
        let columns = names.map { JoinRequest.Column(site: 0, $0, -1, 1) }
        let (_, _, released) = try await made(
            sites, asked(sites, columns, by: .init(site: 0, "kind", (0..<256).map { .integer($0) }), rho: 0.5))
        let numbers = released[0].people.flatMap { [$0.count] + $0.sums }
        #expect(numbers.count == 2_048)
        // Of 8 numbers each at most 1; two owners' draws.
        let deviation = (8.0 / (2 * 0.5)).squareRoot() * 2.0.squareRoot()
        let told = try numbers.map { try #require($0.deviation) }
        #expect(told.allSatisfy { abs($0 / deviation - 1) < 1e-6 })
        let squares = numbers.map { $0.value * $0.value / (deviation * deviation) }
        let mean = squares.reduce(0, +) / 2_048
        // Its deviation is the root of 2 / 2,048, 0.031: beyond 0.2 with a probability below 1e-9. One owner's noise alone would leave 0.5.
        #expect(abs(mean - 1) < 0.2, "\(mean)")
        // Such counts are noise, and nothing is divided by them.
        #expect(released[0].people.count { $0.means == nil } >= 250)
    }

    @Test("What an owner's policy does not say, and what would not be sound, is refused before anything is charged")
    func refusals() async throws {
        let sites = try sites()
        func refusal(
            at place: Int = 0, of others: FederatedSites? = nil, _ change: (inout JoinRequest) -> Void
        ) async throws -> String {
            let asked = others ?? sites
            var request = try self.asked(asked, rho: 0.5).request
            change(&request)
            let message = try FederatedSites.request(request)
            let site = asked.sites[place].site
            return await problem { _ = try await site.preview(message, as: .ada) }?.detail ?? "not refused"
        }
        for place in 0..<3 { #expect(try await refusal(at: place) { _ in } == "not refused") }
        // Of policies.
        let noisy = try self.sites("analyses: [joined-statistics], columns: [age, charges], result: noisy, uses: 3")
        #expect(try await refusal(of: noisy) { $0.columns = [Self.age] } == "not refused")
        #expect(try await refusal(of: noisy) { $0.rho = nil }.contains("allows results with noise alone"))
        #expect(
            try await refusal(at: 1, of: noisy) { $0.columns = [Self.member] }.contains(
                "let \u{201C}member\u{201D} go into a computation"))
        #expect(
            try await refusal(of: noisy) { $0.by = .init(site: 0, "region", Self.regions.map { .text($0) }) }
                .contains("let \u{201C}region\u{201D} go into a computation"))
        let regressions = try self.sites(
            "analyses: [linear-regression, logistic-regression], result: exact, uses: 3")
        for place in 0..<3 {
            #expect(
                try await refusal(at: place, of: regressions) { _ in }.contains("does not allow joined-statistics"))
        }
        // Of units.
        let rows = try self.sites(unit: "row")
        let nameless = try await refusal(of: rows) { _ in }
        #expect(nameless.contains("is each row by itself at this site"), "\(nameless)")
        #expect(try await refusal { $0.on.name = "age" }.contains("names as the unit, which is person"))
        #expect(try await refusal { $0.on.name = "nobody" }.contains("there is no column \u{201C}nobody\u{201D}"))
        // A narrower range would ask for few people, or one.
        #expect(try await refusal { $0.on.upper = 219 }.contains("reaches from 0 to 219"))
        #expect(try await refusal { $0.on.lower = 1 }.contains("reaches from 1 to 220"))
        #expect(try await refusal { $0.on.upper = 1 << 41 }.contains("reach over 2^40 at most"))
        #expect(try await refusal { $0.on = .init("person", .min, .max) }.contains("reach over 2^40 at most"))
        // Of what is asked.
        #expect(try await refusal { $0.rows = [40, 70, 0] }.contains("capacity of 60 units"))
        #expect(try await refusal { $0.rows = [60, 70, 5] }.contains("3 sites have rows"))
        #expect(try await refusal { $0.rows = [60, 0, 0] }.contains("1 sites have rows"))
        #expect(try await refusal { $0.rows = [60, 70] }.contains("three sites compute together"))
        #expect(try await refusal { $0.rows = [60, -70, 0] }.contains("from 0 to 262144 of each site"))
        #expect(try await refusal { $0.rows = [60, .max, 0] }.contains("from 0 to 262144 of each site"))
        #expect(
            try await refusal { request in
                request.rows = [60, 1 << 18, 0]
                request.columns = (0..<60).map { .init(site: 1, "c\($0)", 0, 1) }
            }
            .contains("at most 2097152 numbers"))
        #expect(
            try await refusal { request in
                request.rows = [1 << 17, 1 << 17, 0]
                request.by = .init(site: 1, "kind", (0..<200).map { .integer($0) })
            }
            .contains("at most 2097152 numbers"))
        #expect(try await refusal { $0.columns[1].upper = 100 }.contains("declares age from 0 to 128"))
        #expect(try await refusal { $0.columns = [Self.age, Self.age] }.contains("different ones"))
        #expect(try await refusal { $0.columns[0].site = 2 }.contains("of sites that have rows"))
        #expect(try await refusal { $0.columns[0].site = -1 }.contains("of sites that have rows"))
        #expect(try await refusal { $0.columns[0].upper = 1e300 }.contains("at most 1e100"))
        #expect(
            try await refusal { $0.by = .init(site: 0, "region", [.text("north")]) }.contains("other values of region"))
        #expect(
            try await refusal { $0.by = .init(site: 0, "age", [.integer(1)]) }.contains("age has no public groups"))
        #expect(try await refusal { $0.by = .init(site: 0, "region", []) }.contains("0 groups"))
        #expect(try await refusal { $0.rho = -1 }.contains("rho"))
        #expect(try await refusal { $0.dataset = "none" }.contains("there is no dataset"))
        for site in sites.sites { #expect(try site.integer("SELECT count(*) FROM uses") == 0) }
    }

    @Test(
        "Where a site's part ends in the middle of a join the others end too, nothing is let out, and the charge stays")
    func lost() async throws {
        let sites = try sites()
        let coordination = try await sites.created(asked(sites))
        let run = try coordination.begin(patience: 60) { _ in }
        let left = MessagesLeft(30)
        for (place, site) in sites.sites.enumerated() {
            site.site.connect(by: DirectConnection({ run }) { _ in place != 1 || left.take() })
        }
        let ids = try await sites.begin(coordination)
        func state(_ place: Int) throws -> JobState? {
            try sites.sites[place].site.jobs(as: .ada).first { $0.id == ids[place] }?.state
        }
        let end = ContinuousClock.now + .seconds(60)
        while !left.isNothing, .now < end { try await Task.sleep(for: .milliseconds(20)) }
        _ = try await sites.sites[0].site.cancelJob(ids[0], by: .ada)
        while try state(2) != .failed, .now < end { try await Task.sleep(for: .milliseconds(20)) }
        #expect(try state(2) == .failed && run.left == 0 && run.progress.phase == .aborted)
        for place in [0, 2] {
            #expect(try sites.sites[place].integer("SELECT sum(uses) FROM uses") == 1)
            #expect(try sites.sites[place].site.request(ids[place], as: .ada).state != "released")
        }
    }
}
