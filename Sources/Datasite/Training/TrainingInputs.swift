import DatasiteProtocol
import Foundation
import Learning
import Tables

/// The rows that a plan's files hold.
struct TrainingInputs {
    var train: Examples
    var validation: Examples?
    var test: Examples?
    /// What the model begins as, where the plan names a file of it.
    let weights: Parameters?
    /// The SHA-256 of each file that was read, by its name in the plan, in order.
    let files: [(name: String, digest: String)]

    /// - Parameters:
    ///   - folder: Where the plan's files are.
    ///   - check: Throws where the reading shall end.
    /// - Throws: A `Problem` (`invalid-data`) that names the file, the place in it, what arrived and what would be right.
    init(_ document: TrainingDocument, folder: String, check: @escaping () throws -> Void) throws {
        var reader = TrainingFiles(folder: folder, document: document, check: check)
        let section = document.data
        var train = try reader.examples(section.train, named: "train")
        var validation: Examples?
        switch section.validation {
        case nil: break
        case .part(let part): validation = try reader.examples(part, named: "validation")
        case .share(let share):
            let split = try Self.split(train.units.count, share: share, seed: document.seed)
            (train, validation) = (try train.selecting(units: split.train), try train.selecting(units: split.held))
        }
        test = try section.test.map { try reader.examples($0, named: "test") }
        weights = try document.transfer?.weights.map { try reader.weights($0) }
        (self.train, self.validation, files) = (train, validation, reader.files)
        for (name, other) in [("validation", validation), ("test", test)] {
            if let other, other.rowShape != train.rowShape {
                throw Problem.invalidData(
                    "`data.\(name)`: rows of another shape than those of `data.train`",
                    hint: "the same shape in all parts")
            }
        }
    }

    /// The units that are held out, with all their rows, are drawn by the plan's seed alone.
    private static func split(_ units: Int, share: Double, seed: UInt64) throws -> (train: [Int], held: [Int]) {
        let count = Int((Double(units) * share).rounded())
        guard count >= 1, count < units else {
            throw Problem.invalidData(
                "`data.validation`: a share of \(share) leaves nobody on one side",
                hint: "a share that leaves some on either side"
            )
        }
        let order = TrainingRun.heldOutOrder(rows: units, seed: seed)
        return (order[count...].sorted(), order[..<count].sorted())
    }
}

/// Reads the files that parts of a plan name, each once.
private struct TrainingFiles {
    let folder: String
    let section: TrainingDataSection
    private let privacy: TrainingPrivacySection?
    let check: () throws -> Void
    private(set) var files: [(name: String, digest: String)] = []
    private var archive: NPZFile?

    init(folder: String, document: TrainingDocument, check: @escaping () throws -> Void) {
        self.folder = folder
        section = document.data
        privacy = document.privacy
        self.check = check
    }

    mutating func examples(_ part: TrainingDataSection.Part, named name: String) throws -> Examples {
        switch section.format {
        case .idx, .npy, .npz: return try arrays(part, named: name)
        case .png: return try images(part)
        case .csv: return try table(part)
        }
    }

    /// Weights that another training left.
    mutating func weights(_ name: String) throws -> Parameters {
        let bytes = try read(name)
        return try fitting(name) { () throws(ModelError) in try SafeTensors.read(bytes) }
    }

    // MARK: Arrays

    private mutating func arrays(_ part: TrainingDataSection.Part, named name: String) throws -> Examples {
        if let column = privacy?.unitColumn {
            throw Problem.invalidManifest(
                "`privacy.unit`: files of format \(section.format.rawValue) have no column \(DisplayedName.of(column))",
                hint: "unit: row")
        }
        var inputs = try array(part.inputs)
        let labels = try array(part.labels)
        guard inputs.shape.count >= 1, inputs.rows == labels.rows else {
            throw Problem.invalidData(
                "\(part.labels): \(labels.rows) rows beside \(inputs.rows) in \(part.inputs)", hint: "one label a row")
        }
        if section.channelsLast {
            inputs = try naming(part.inputs) { () throws(DataError) in try inputs.channelsFirst() }
        }
        let targets = try naming(part.labels) { () throws(DataError) in try Self.targets(labels, section.target) }
        // Images without channels have one.
        let own = inputs.rowShape
        let shape = section.shape ?? (own.count == 2 ? [1] + own : own.isEmpty ? [1] : own)
        return try fitting(part.inputs) { () throws(ModelError) in
            try Examples(inputs, rowShape: shape, scaling: section.scaling, targets: targets)
        }
    }

    private static func targets(
        _ array: DataArray, _ target: TrainingDataSection.Target
    ) throws(DataError) -> Targets {
        switch target {
        case .classes(let count): return .labels(try array.labels(classes: count))
        case .domain(let words): return .labels(try array.labels(classes: words.count))
        case .bounds: return .values(Tensor(shape: [array.rows, 1], values: array.floats()))
        case .values(let width):
            guard array.rowShape.reduce(1, *) == width else {
                throw DataError(
                    "targets", "a shape of \(array.shape.map(String.init).joined(separator: "x"))",
                    expected: "\(width) values a row")
            }
            return .values(Tensor(shape: [array.rows, width], values: array.floats()))
        }
    }

    private mutating func array(_ name: String) throws -> DataArray {
        switch section.format {
        case .npz:
            if archive == nil {
                let bytes = try read(section.file)
                archive = try naming(section.file) { () throws(DataError) in
                    try NPZFile(bytes, .system(largest: WholeFile.largest))
                }
            }
            try check()
            return try naming(section.file) { () throws(DataError) in
                guard let archive else { throw DataError("no archive", expected: "an .npz file") }
                return try archive.array(name)
            }
        case .npy:
            let bytes = try read(name)
            return try naming(name) { () throws(DataError) in try NPYFile.read(bytes) }
        case .idx, .png, .csv:
            let bytes = try read(name)
            return try naming(name) { () throws(DataError) in try IDXFile.read(bytes) }
        }
    }

    // MARK: Images and tables

    private mutating func images(_ part: TrainingDataSection.Part) throws -> Examples {
        let listing = try text(part.labels)
        let place = try naming(part.labels) { () throws(DataError) in try listing.column("file") }
        let order = try units(listing, part.labels)
        let names = listing.rows.map { $0[place] }
        guard !names.isEmpty else { throw Problem.invalidData("\(part.labels): no rows", hint: "a row an image") }
        var images: [DataArray] = []
        for (number, name) in names.enumerated() {
            guard WholeFile.isBelow(name) else {
                throw Problem.invalidData(
                    "\(part.labels): row \(number + 1): a file's name that leaves the folder",
                    hint: "names below \(part.inputs)")
            }
            let path = part.inputs + "/" + name
            let bytes = try read(path, isListed: false)
            images.append(
                try naming(path) { () throws(DataError) in
                    try PNGFile.read(bytes, .system(largest: WholeFile.largest))
                })
        }
        let stacked = try naming(part.inputs) { () throws(DataError) in
            try DataArray.stacked(images, names: names).channelsFirst()
        }
        let targets = try targets(listing, part.labels)
        let examples = try fitting(part.inputs) { () throws(ModelError) in
            try Examples(stacked, scaling: section.scaling, targets: targets)
        }
        guard let order else { return examples }
        return try fitting(part.labels) { () throws(ModelError) in
            try examples.selecting(order.order, units: order.units)
        }
    }

    private mutating func table(_ part: TrainingDataSection.Part) throws -> Examples {
        let table = try text(part.inputs)
        let inputs = try naming(part.inputs) { () throws(DataError) in try table.inputs(section.columns) }
        let targets = try targets(table, part.inputs)
        let order = try units(table, part.inputs)
        return try fitting(part.inputs) { () throws(ModelError) in
            let examples = try Examples(inputs: inputs, targets: targets)
            guard let order else { return examples }
            return try examples.selecting(order.order, units: order.units)
        }
    }

    private func targets(_ table: SeparatedText, _ file: String) throws -> Targets {
        try naming(file) { () throws(DataError) in
            switch section.target {
            case .domain(let words): return .labels(try table.labels(section.labelColumn, domain: words))
            case .classes(let count), .values(let count):
                return .labels(try table.labels(section.labelColumn, domain: (0..<count).map(String.init)))
            case .bounds(let lower, let upper):
                return .values(try table.values(section.labelColumn, lower: lower, upper: upper))
            }
        }
    }

    /// Where a column names whom a row belongs to: rows of one stand together. It is the one that `privacy` names; without privacy one of the
    /// name `unit`, if there is one.
    private func units(_ table: SeparatedText, _ file: String) throws -> (order: [Int], units: [Range<Int>])? {
        let named = privacy.map(\.unitColumn) ?? (table.columns.contains("unit") ? "unit" : nil)
        guard let named else { return nil }
        return try naming(file) { () throws(DataError) in try table.units(named) }
    }

    private mutating func text(_ name: String) throws -> SeparatedText {
        let bytes = try read(name)
        return try naming(name) { () throws(DataError) in try SeparatedText(bytes) }
    }

    // MARK: -

    /// A whole file, inflated where it is gzip.
    private mutating func read(_ name: String, isListed: Bool = true) throws -> [UInt8] {
        try check()
        let file = try WholeFile(folder + "/" + name, named: name)
        if isListed, !files.contains(where: { $0.name == name }) {
            files.append((name, sha256Hex(file.stored)))
        }
        return file.bytes
    }

    private func naming<Result>(_ file: String, _ body: () throws(DataError) -> Result) throws -> Result {
        do throws(DataError) { return try body() } catch { throw Problem.invalidData("\(file): \(error)") }
    }

    private func fitting<Result>(_ file: String, _ body: () throws(ModelError) -> Result) throws -> Result {
        do throws(ModelError) { return try body() } catch { throw Problem.invalidData("\(file): \(error)") }
    }
}
