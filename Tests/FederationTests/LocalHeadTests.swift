import Testing

@testable import Federation

@Suite("Parameters that stay local")
struct LocalHeadTests {
    let layout: ParameterLayout
    init() throws { layout = try ParameterLayout(names: ["a", "b", "none", "head"], counts: [2, 1, 0, 3]) }

    @Test("Shared entries go out and come back, and the local ones stay")
    func split() throws {
        let head = LocalHead(names: ["b", "head", "b"])
        #expect(head.names == ["b", "head"])
        var vector: [Float] = [1, 2, 3, 4, 5, 6]
        #expect(try head.shared(vector, layout: layout) == [1, 2])
        try head.place([8, 9], into: &vector, layout: layout)
        #expect(vector == [8, 9, 3, 4, 5, 6])
        try LocalHead(names: ["b"]).place([10, 11, 12, 13, 14], into: &vector, layout: layout)
        #expect(vector == [10, 11, 3, 12, 13, 14])
        vector = [8, 9, 3, 4, 5, 6]
        #expect(try LocalHead(names: ["a"]).shared(vector, layout: layout) == [3, 4, 5, 6])
        #expect(try LocalHead(names: []).shared(vector, layout: layout) == vector)
    }

    @Test("Names the model has not, nothing shared and wrong lengths are refused")
    func refusals() throws {
        var vector: [Float] = [1, 2, 3, 4, 5, 6]
        #expect(throws: StrategyError.unknownParameter("c", expected: layout.names)) {
            try LocalHead(names: ["c"]).shared(vector, layout: layout)
        }
        #expect(throws: StrategyError.nothingShared) {
            try LocalHead(names: ["a", "b", "head"]).shared(vector, layout: layout)
        }
        let head = LocalHead(names: ["head"])
        #expect(throws: StrategyError.length(of: "entries of the model", found: 1, expected: 6)) {
            try head.shared([1], layout: layout)
        }
        #expect(throws: StrategyError.length(of: "shared entries", found: 2, expected: 3)) {
            try head.place([1, 2], into: &vector, layout: layout)
        }
        #expect(vector == [1, 2, 3, 4, 5, 6])
        #expect(throws: StrategyError.self) { try ParameterLayout(names: ["a", "a"], counts: [1, 1]) }
        #expect(throws: StrategyError.self) { try ParameterLayout(names: ["a"], counts: [1, 1]) }
        #expect(throws: StrategyError.self) { try ParameterLayout(names: ["a"], counts: [-1]) }
    }

    @Test("Participants whose heads differ learn a shared part together, each with its own head")
    func personal() throws {
        // y = shared x + own offset: one parameter each.
        let layout = try ParameterLayout(names: ["slope", "offset"], counts: [1, 1])
        let head = LocalHead(names: ["offset"])
        let inputs: [Float] = [-2, -1, 0, 1, 3]
        let offsets: [Float] = [-5, 0, 7]
        var models = offsets.map { _ in [0, 0] as [Float] }
        var (shared, state): ([Float], ServerState) = ([0], try ServerState(.fedAvg, parameters: 1))
        for _ in 0..<200 {
            var updates: [[Float]] = []
            for index in models.indices {
                try head.place(shared, into: &models[index], layout: layout)
                for _ in 0..<5 {
                    let errors = inputs.map { models[index][0] * $0 + models[index][1] - (1.5 * $0 + offsets[index]) }
                    models[index][0] -= 0.02 * zip(errors, inputs).reduce(0) { $0 + $1.0 * $1.1 }
                    models[index][1] -= 0.02 * errors.reduce(0, +)
                }
                updates.append(zip(try head.shared(models[index], layout: layout), shared).map { $0 - $1 })
            }
            let mean = try Strategy.fedAvg.combine(updates).vector
            try state.apply(mean: mean, to: &shared, strategy: .fedAvg)
        }
        #expect(abs(shared[0] - 1.5) < 1e-3)
        for (model, offset) in zip(models, offsets) { #expect(abs(model[1] - offset) < 1e-2) }
    }
}
