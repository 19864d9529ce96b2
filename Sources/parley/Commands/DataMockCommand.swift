import ArgumentParser
import Datasite
import DatasiteProtocol
import Foundation

struct DataMock: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "mock", abstract: "Make up rows of a dataset's arrays, to try code on.",
        discussion: """
            One .npy file an array, of the declared shape and type, with numbers drawn between the declared bounds: the same for \
            all, free of charge, and nothing like the data. Questions are tried on made-up rows with "ask --mock", and plans \
            for training with "train --dry-run".

              parley data mock xrays --output mock
            """)

    /// Of all arrays together.
    private static let mostNumbers = 1 << 26

    @OptionGroup var options: PlaceOptions
    @Argument(help: "The dataset.", completion: DatasetNames.completion) var dataset: String
    @Option(help: "How many rows.") var rows = 100
    @Option(help: ArgumentHelp("Write the files into this folder.", valueName: "dir"), completion: .directory)
    var output: String

    func validate() throws {
        guard (1...1_000_000).contains(rows) else { throw ValidationError("--rows is from 1 to 1000000.") }
    }

    func run() async throws {
        let place = try options.place()
        let arrays = try await place.detail(dataset).arrays ?? []
        guard !arrays.isEmpty else {
            throw Failure(
                "\(PrintableText.escape(dataset)) has no arrays. Questions are tried on made-up rows of its columns with: parley ask --mock"
            )
        }
        // What a site says of itself is not taken for a path, nor for a size.
        let names = Set(arrays.map(\.name))
        guard arrays.count <= 16, names.count == arrays.count, arrays.allSatisfy(Self.isPlausible) else {
            throw Failure("What \(PrintableText.escape(dataset)) declares of its arrays is none that a datasite has.")
        }
        let numbers = arrays.reduce(0) { $0 + $1.shape.reduce(1, *) }
        guard numbers <= Self.mostNumbers / rows else {
            throw Failure(
                "\(rows) rows are more than \(NumberText.integer(Self.mostNumbers)) numbers: ask for fewer with --rows."
            )
        }
        try FileManager.default.createDirectory(atPath: output, withIntermediateDirectories: true)
        for array in arrays {
            let path = "\(output)/\(array.name).npy"
            try SavedFile.write(array.mock(rows: rows, of: dataset), to: path)
            Terminal.output.line("\(path): \(NumberText.integer(rows)) made-up rows")
        }
    }

    private static func isPlausible(_ array: DatasetDetail.Array) -> Bool {
        array.name.wholeMatch(of: /[A-Za-z][A-Za-z0-9_-]{0,63}/) != nil && (1...4).contains(array.shape.count)
            && array.shape.reduce(1.0) { $0 * Double($1) } <= 0x1p22 && array.shape.allSatisfy { $0 > 0 }
    }
}
