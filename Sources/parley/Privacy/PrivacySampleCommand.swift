import ArgumentParser
import DifferentialPrivacy
import Secrets

struct PrivacySampleCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sample",
        abstract: "What noise looks like: exact draws, one a line, or counted.",
        discussion: """
            parley privacy sample discrete-gaussian --scale 1.5 --count 1000000 --histogram
            parley privacy sample discrete-laplace --scale 20 --count 5
            """)

    enum Law: String, CaseIterable, ExpressibleByArgument {
        case discreteGaussian = "discrete-gaussian"
        case discreteLaplace = "discrete-laplace"
        case skellam, staircase

        /// The scales of which there is exact noise: a Skellam law's variance, the square, goes from 2^-20 to 2^30.
        var scales: (range: ClosedRange<Double>, words: String) {
            switch self {
            case .skellam: (0x1p-10...0x1p15, "2^-10 to 2^15")
            case .discreteGaussian, .discreteLaplace, .staircase: (0x1p-20...0x1p40, "2^-20 to 2^40")
            }
        }
    }

    @Argument(help: "The law of the noise.") var law: Law
    @Option(
        parsing: .unconditional,
        help: """
            Its size, in units of the grid: sigma of a discrete Gaussian, the scale of a discrete Laplace law, the \
            standard deviation of a Skellam law, 1 / epsilon of a staircase for sensitivity 1.
            """)
    var scale: Double
    @Option(parsing: .unconditional, help: "How many draws.", transform: WholeNumberText.parse) var count: Int = 10
    @Flag(help: "Count the draws, and show the counts as bars.") var histogram = false

    func validate() throws {
        guard count >= 1 && count <= 1_000_000_000 else { throw ValidationError("--count must be from 1 to 1e9.") }
        guard law.scales.range.contains(scale) else {
            throw ValidationError("--scale: expected a number from \(law.scales.words) for \(law.rawValue).")
        }
        try Usage.check { _ = try draws() }
    }

    func run() async throws { show(try draws()) }

    private func draws() throws(MechanismError) -> () -> Int64 {
        var random = SecureRandom()
        switch law {
        case .discreteGaussian:
            let noise = try DiscreteGaussian(sigma: scale)
            return { noise.sample(using: &random) }
        case .discreteLaplace:
            let noise = try DiscreteLaplace(scale: scale)
            return { noise.sample(using: &random) }
        case .skellam:
            let noise = try Skellam(variance: scale * scale)
            return { noise.sample(using: &random) }
        case .staircase:
            let noise = try StaircaseNoise(epsilon: 1 / scale, sensitivity: 1)
            return { noise.sample(using: &random) }
        }
    }

    private func show(_ draw: () -> Int64) {
        guard histogram else {
            for _ in 0..<count { Terminal.output.line(String(draw())) }
            return
        }
        var counts: [Int64: Int] = [:]
        for _ in 0..<count { counts[draw(), default: 0] += 1 }
        Terminal.output.write(NoiseHistogram(counts).render(on: .output))
    }
}

/// Draws counted in at most 41 cells of equal width.
struct NoiseHistogram {
    private var cells: [(first: Int64, count: Int)] = []
    private var width: Int64 = 1
    private var total = 0

    init(_ counts: [Int64: Int]) {
        guard let least = counts.keys.min(), let greatest = counts.keys.max() else { return }
        let reach = max(least.magnitude, greatest.magnitude)
        width = Int64(clamping: reach / 20 + (reach <= 20 ? 0 : 1))
        if width < 1 { width = 1 }
        // Cells are centred on multiples of the width.
        var merged: [Int64: Int] = [:]
        for (value, count) in counts {
            let cell = Int64((Double(value) / Double(width)).rounded())
            merged[cell, default: 0] += count
            total += count
        }
        cells = merged.sorted { $0.key < $1.key }.map {
            ($0.key.multipliedReportingOverflow(by: width).partialValue, $0.value)
        }
    }

    func render(on terminal: Terminal) -> String {
        let bars = cells.map { cell in
            let share = NumberText.significant(100 * Double(cell.count) / Double(total), digits: 3)
            return BarPlot.Bar(
                label: NumberText.integer(cell.first), value: Double(cell.count), lower: nil, upper: nil,
                text: "\(NumberText.integer(cell.count))  \(share) %")
        }
        let title = width == 1 ? "draws by value" : "draws by value, in cells of \(NumberText.integer(width))"
        return BarPlot(title: title, bars: bars).render(on: terminal)
    }
}
