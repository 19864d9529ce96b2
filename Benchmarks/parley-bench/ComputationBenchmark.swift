import Kernels
import ModularArithmetic
import Secrets
import SecureComputation

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// Two parties' computation: ring products, ciphers and comparison functions, operations and a LeNet online, with what the dealer takes beside them. CPU time, the best of several runs.
struct ComputationBenchmark {
    /// Seconds of CPU that this process took; or of the wall's clock.
    func seconds(_ clock: clockid_t) -> Double {
        var time = timespec()
        clock_gettime(clock, &time)
        return Double(time.tv_sec) + 1e-9 * Double(time.tv_nsec)
    }

    /// The best of several runs.
    func best(_ runs: Int = 5, clock: clockid_t = CLOCK_PROCESS_CPUTIME_ID, _ work: () throws -> Void) rethrows
        -> Double
    {
        var least = Double.infinity
        for _ in 0..<runs {
            let start = seconds(clock)
            try work()
            least = min(least, seconds(clock) - start)
        }
        return least
    }

    private func report(_ name: String, _ fields: KeyValuePairs<String, Double>) {
        parley_bench.report(name, fields.map { ($0.key, $0.value) })
    }

    let paths: [(String, kernels_instructions)] = [("portable", .portable), ("avx2", .avx2), ("avx512", .avx512)].filter
    {
        kernels_have($0.1)
    }
    let ciphers: [(String, kernels_cipher)] = [("sliced", .sliced), ("instructions", .instructions), ("wide", .wide)]
        .filter {
            kernels_have_cipher($0.1)
        }

    func products() throws {
        let n = 1024
        let key = CipherKey(words: (1, 2))
        let a = key.words(n * n, stream: 0)
        let b = key.words(n * n, stream: 1)
        var c = [UInt64](repeating: 0, count: n * n)
        for (name, path) in paths {
            let time64 = a.withUnsafeBufferPointer { a in
                b.withUnsafeBufferPointer { b in
                    c.withUnsafeMutableBufferPointer { c in
                        let product = kernels_ring64_product(
                            m: n, n: n, k: n, a: a.baseAddress, lda: n, a_transposed: false, b: b.baseAddress, ldb: n,
                            b_transposed: false,
                            c: c.baseAddress, ldc: n, accumulates: false)
                        var workspace = [UInt64](repeating: 0, count: kernels_ring64_workspace(product, path))
                        return best { kernels_ring64_multiply(product, &workspace, path) }
                    }
                }
            }
            report("gemm64-\(name)", ["n": 1024, "gmacs": Double(n * n * n) / time64 / 1e9])
            let a32 = a.map { UInt32(truncatingIfNeeded: $0) }
            let b32 = b.map { UInt32(truncatingIfNeeded: $0) }
            var c32 = [UInt32](repeating: 0, count: n * n)
            let time32 = a32.withUnsafeBufferPointer { a in
                b32.withUnsafeBufferPointer { b in
                    c32.withUnsafeMutableBufferPointer { c in
                        let product = kernels_ring32_product(
                            m: n, n: n, k: n, a: a.baseAddress, lda: n, a_transposed: false, b: b.baseAddress, ldb: n,
                            b_transposed: false,
                            c: c.baseAddress, ldc: n, accumulates: false)
                        var workspace = [UInt32](repeating: 0, count: kernels_ring32_workspace(product, path))
                        return best { kernels_ring32_multiply(product, &workspace, path) }
                    }
                }
            }
            report("gemm32-\(name)", ["n": 1024, "gmacs": Double(n * n * n) / time32 / 1e9])
        }
        let map = BilinearMap.matrices(try MatrixProduct(rows: n, inner: n, columns: n))
        for threads in 1...2 {
            let time = best(clock: CLOCK_MONOTONIC) { map.add(a, b, to: &c, threads: threads) }
            report("gemm64-threads", ["threads": Double(threads), "gmacs": Double(n * n * n) / time / 1e9])
        }
        let convolution = BilinearMap.convolution(
            try RingConvolution(input: [1, 64, 56, 56], weights: [64, 64, 3, 3], padding: 1))
        let images = key.words(convolution.leftCount, stream: 2)
        let weights = key.words(convolution.rightCount, stream: 3)
        var output = [UInt64](repeating: 0, count: convolution.resultCount)
        let time = best { convolution.add(images, weights, to: &output) }
        report("convolution64", ["gmacs": Double(convolution.multiplications) / time / 1e9])
    }

    func ciphersAndKeys() {
        var key = kernels_aes_key()
        kernels_aes_expand([UInt8](0..<16), &key)
        for (name, cipher) in ciphers {
            let count = 1 << 17
            var words = [UInt64](repeating: 0, count: count)
            let fill = best(20) { kernels_aes_fill(&key, 1, 0, &words, count, cipher) }
            var bytes = [UInt8](repeating: 1, count: 1 << 17)
            let hash = bytes.withUnsafeMutableBufferPointer { bytes in
                best(20) { kernels_aes_hash(&key, bytes.baseAddress, bytes.count / 16, bytes.baseAddress, cipher) }
            }
            report(
                "aes-\(name)",
                ["ctr_gb_per_s": Double(8 * count) / fill / 1e9, "hash_gb_per_s": Double(bytes.count) / hash / 1e9])
            for (bits, words) in [(64, 1), (64, 2), (63, 1), (63, 2), (63, 3), (32, 1), (31, 2)] {
                let batch = kernels_comparisons(count: cipher == .sliced ? 256 : 2048, bits: bits, words: words)
                let stream = CipherKey(words: (3, 4))
                let seeds = stream.words(2 * batch.count, stream: 0)
                let others = stream.words(2 * batch.count, stream: 1)
                let alphas = stream.words(batch.count, stream: 2)
                let betas = stream.words(batch.count * words, stream: 3)
                var corrections = [UInt64](repeating: 0, count: kernels_comparison_words(batch))
                var result = [UInt64](repeating: 0, count: batch.count * words)
                let generate = best(10) {
                    kernels_comparison_generate(batch, &key, seeds, others, alphas, betas, &corrections, cipher)
                }
                let evaluate = best(10) {
                    kernels_comparison_evaluate(batch, &key, 0, seeds, corrections, alphas, &result, cipher)
                }
                report(
                    "comparison-\(name)",
                    [
                        "bits": Double(bits), "words": Double(words), "key_us": generate / Double(batch.count) * 1e6,
                        "evaluate_us": evaluate / Double(batch.count) * 1e6,
                        "bytes": Double(8 * corrections.count / batch.count),
                    ])
            }
        }
    }

    /// Runs a program, and reports CPU seconds of each party and of the dealer, wall seconds of the two one after the other, and bytes both ways.
    /// - Parameter latency: In seconds: so long a round's messages, which cross, are on their way.
    func online(
        _ name: String, _ program: Program, _ inputs: [RingTensor], weights: [RingTensor] = [], runs: Int = 3,
        latency: Double = 0
    ) throws {
        var least = (cpu: [Double.infinity, .infinity], dealer: Double.infinity, wall: Double.infinity)
        var cost = ComputationCost()
        let cpu = { seconds(CLOCK_PROCESS_CPUTIME_ID) }
        for _ in 0..<runs {
            let session = try ComputationSession(program: program, first: "a", second: "b", dealer: "c")
            var mask = Dealer.weightMask()
            let masked = weights.isEmpty ? nil : try mask.masked(weights, of: .second, in: program)
            let begun = cpu()
            let correlations = try Dealer(program: program, session: session, masks: [.second: mask]).correlations()
            least.dealer = min(least.dealer, cpu() - begun)
            var (ledgers, sides) = ([CorrelationLedger(), CorrelationLedger()], [TwoPartyMachine]())
            let firsts = program.inputs.count - (weights.isEmpty ? 1 : 0)
            for (party, own) in [correlations.first, correlations.second].enumerated() {
                let given = PartyInputs(
                    inputs: party == 0 ? Array(inputs.prefix(firsts)) : Array(inputs.dropFirst(firsts)),
                    weights: party == 1 ? weights : [],
                    mask: party == 1 ? mask : nil, maskedWeights: party == 0 ? masked : nil)
                let claim = try ledgers[party].claim(own, inputs: given)
                sides.append(try TwoPartyMachine(program: program, session: session, correlations: own, claim: claim))
            }
            var times = [0.0, 0.0]
            func timed<Result>(_ party: Int, _ work: () throws -> Result) rethrows -> Result {
                let start = cpu()
                defer { times[party] += cpu() - start }
                return try work()
            }
            let start = wallSeconds()
            var messages = [try timed(0) { try sides[0].begin() }, try timed(1) { try sides[1].begin() }]
            while let one = messages[0], let two = messages[1] {
                let bytes = [timed(0) { one.bytes }, timed(1) { two.bytes }]
                if latency > 0 { usleep(UInt32(1e6 * latency)) }
                messages = try [0, 1].map { party in
                    try timed(party) {
                        let received = try RoundMessage(bytes: bytes[1 - party], words: sides[party].expectedWords)
                        return try sides[party].receive(received)
                    }
                }
            }
            least.wall = min(least.wall, wallSeconds() - start)
            cost = sides[0].cost
            for party in 0..<2 { least.cpu[party] = min(least.cpu[party], times[party]) }
        }
        let planned = program.cost
        var figures: [(String, Double)] = [
            ("first_cpu_s", least.cpu[0]), ("second_cpu_s", least.cpu[1]), ("dealer_cpu_s", least.dealer),
            ("rounds", Double(cost.rounds)), ("mb_both_ways", Double(cost.bytes) / 1e6),
        ]
        figures.append(("correlation_mb_first", Double(planned.correlationBytesToFirst) / 1e6))
        figures.append(("correlation_mb_second", Double(planned.correlationBytesToSecond) / 1e6))
        if latency > 0 { figures += [("wall_s", least.wall), ("latency_s", latency)] }
        parley_bench.report(name, figures)
    }

    func numbers(_ shape: [Int], within bound: Int64, stream: UInt64) throws -> RingTensor {
        let words = CipherKey(words: (5, 6)).words(shape.reduce(1, *), stream: stream)
        return try RingTensor(
            shape: shape, words: words.map { UInt64(bitPattern: Int64($0 % UInt64(2 * bound + 1)) - bound) })
    }

    func operations() throws {
        let count = 1_000_000
        var builder = ProgramBuilder()
        let a = try builder.input(from: .first, shape: [count], bound: 1 << 40)
        let b = try builder.input(from: .second, shape: [count], bound: 1 << 40)
        _ = try builder.relu(try builder.sum(a, b))
        try online(
            "relu-1e6", builder.program(),
            [numbers([count], within: 1 << 40, stream: 1), numbers([count], within: 1 << 40, stream: 2)])

        builder = ProgramBuilder()
        builder.comparisons = .twoRounds
        let e = try builder.input(from: .first, shape: [count], bound: 1 << 40)
        let f = try builder.input(from: .second, shape: [count], bound: 1 << 40)
        _ = try builder.relu(try builder.sum(e, f))
        try online(
            "relu-1e6-two-rounds", builder.program(),
            [numbers([count], within: 1 << 40, stream: 1), numbers([count], within: 1 << 40, stream: 2)])

        builder = ProgramBuilder()
        let x = try builder.input(from: .first, shape: [1024, 1024], bound: 1 << 20)
        let y = try builder.input(from: .second, shape: [1024, 1024], bound: 1 << 20)
        _ = try builder.matrixProduct(x, y)
        try online(
            "product-1024", builder.program(),
            [numbers([1024, 1024], within: 1 << 20, stream: 3), numbers([1024, 1024], within: 1 << 20, stream: 4)])

        builder = ProgramBuilder()
        let z = try builder.input(from: .first, shape: [1024, 1024], bound: 1 << 20)
        let w = try builder.weights("w", of: .second, shape: [1024, 1024], bound: 1 << 20, sumBound: 1 << 30)
        _ = try builder.matrixProduct(z, w)
        try online(
            "product-1024-weights", builder.program(), [numbers([1024, 1024], within: 1 << 20, stream: 3)],
            weights: [numbers([1024, 1024], within: 1 << 20, stream: 4)])

        builder = ProgramBuilder()
        let c = try builder.input(from: .first, shape: [count], bound: 1 << 40)
        let d = try builder.input(from: .second, shape: [count], bound: 1 << 40)
        _ = try builder.truncated(try builder.sum(c, d), by: 12, exactly: true)
        try online(
            "exact-truncation-1e6", builder.program(),
            [numbers([count], within: 1 << 40, stream: 1), numbers([count], within: 1 << 40, stream: 2)])
    }

    /// LeNet as the comparisons have it: 20 and 50 kernels of 5 x 5, max pooling, 500 and 10 outputs; fixed point of 12 bits.
    func lenetProgram(batch: Int) throws -> (program: Program, inputs: [RingTensor], weights: [RingTensor]) {
        let one: Int64 = 1 << 12
        var builder = ProgramBuilder()
        let images = try builder.input(from: .first, shape: [batch, 1, 28, 28], bound: one)
        let shapes = [[20, 1, 5, 5], [50, 20, 5, 5], [800, 500], [500, 10]]
        let weights = try shapes.enumerated().map {
            try builder.weights("w\($0)", of: .second, shape: $1, bound: one, sumBound: 12 * one)
        }
        var value = try builder.maximumPool(builder.convolution(images, weights[0]), window: 2, stride: 2)
        value = try builder.relu(value, truncatedBy: 12)
        value = try builder.maximumPool(builder.convolution(value, weights[1]), window: 2, stride: 2)
        value = try builder.relu(value, truncatedBy: 12)
        value = try builder.matrixProduct(builder.reshaped(value, to: [batch, 800]), weights[2])
        value = try builder.truncated(builder.relu(value), by: 12, exactly: true)
        _ = try builder.reveal(builder.argmax(builder.matrixProduct(value, weights[3])), to: .first)
        let tensors = try shapes.enumerated().map {
            try numbers($1, within: 12 * one / Int64($1.count == 2 ? $1[0] : $1[1] * 25), stream: UInt64($0))
        }
        return (builder.program(), [try numbers([batch, 1, 28, 28], within: one, stream: 9)], tensors)
    }

    func lenet(batch: Int) throws {
        let (program, inputs, weights) = try lenetProgram(batch: batch)
        try online("lenet-batch-\(batch)", program, inputs, weights: weights)
        if batch == 1 {
            try online("lenet-batch-1-at-40-ms", program, inputs, weights: weights, runs: 1, latency: 0.04)
        }
    }

    /// A linear step and its ReLU, where each message takes 40 ms: how many rounds that is.
    func layerAtDistance() throws {
        for form in [ComparisonForm.oneRound, .twoRounds] {
            var builder = ProgramBuilder()
            builder.comparisons = form
            let x = try builder.input(from: .first, shape: [1, 784], bound: 1 << 12)
            let w = try builder.weights("w", of: .second, shape: [784, 128], bound: 1 << 12, sumBound: 1 << 18)
            _ = try builder.relu(try builder.matrixProduct(x, w), truncatedBy: 12)
            try online(
                "layer-at-40-ms-\(form == .oneRound ? "one-round" : "two-rounds")", builder.program(),
                [numbers([1, 784], within: 1 << 12, stream: 3)],
                weights: [numbers([784, 128], within: 1 << 8, stream: 4)], runs: 1, latency: 0.04)
        }
    }

    func run() throws {
        try products()
        ciphersAndKeys()
        try operations()
        for batch in [1, 32] { try lenet(batch: batch) }
        try layerAtDistance()
    }
}
