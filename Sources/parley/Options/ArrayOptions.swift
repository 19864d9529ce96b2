import ArgumentParser
import Datasite

/// Files of arrays that go with a table.
struct ArrayOptions: ParsableArguments {
    @Option(
        name: .customLong("array"),
        help: ArgumentHelp(
            "The numbers of an array or a column: IDX or .npy, one array of an archive (FILE.npz:NAME), or a folder of PNG.",
            valueName: "name=file"),
        completion: .file())
    var arrays: [String] = []

    var files: [ArrayFile] {
        get throws {
            try arrays.map { text in
                guard let file = ArrayFile(text) else {
                    throw ValidationError("--array \(text): expected NAME=FILE, such as --array image=images.npy")
                }
                return file
            }
        }
    }
}
