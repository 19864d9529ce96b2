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

    /// A gigabyte.
    private static let mostNumbers = 1 << 28

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
        for array in arrays {
            let isName = array.name.wholeMatch(of: /[A-Za-z][A-Za-z0-9_-]{0,63}/) != nil
            var numbers = rows
            for extent in array.shape where numbers > 0 {
                numbers = (1...Self.mostNumbers / numbers).contains(extent) ? numbers * extent : 0
            }
            guard isName, numbers > 0 else {
                throw Failure(
                    "\(rows) rows of \(PrintableText.escape(array.name)) are more than \(Self.mostNumbers) numbers: ask for fewer with --rows."
                )
            }
        }
        try FileManager.default.createDirectory(atPath: output, withIntermediateDirectories: true)
        for array in arrays {
            let path = "\(output)/\(array.name).npy"
            try SavedFile.write(array.mock(rows: rows, of: dataset), to: path)
            Terminal.output.line("\(path): \(NumberText.integer(rows)) made-up rows")
        }
    }
}
