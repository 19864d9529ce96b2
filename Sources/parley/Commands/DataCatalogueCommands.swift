import ArgumentParser
import DatasiteProtocol

struct DataList: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "list", abstract: "List the datasets.")

    @OptionGroup var options: PlaceOptions

    func run() async throws {
        let place = try options.place()
        let datasets = try await place.datasets()
        guard !datasets.isEmpty else {
            Terminal.output.line(
                "There are no datasets yet. An owner adds one with: parley data add FILE --manifest manifest.yaml")
            return
        }
        Terminal.output.write(CatalogueView.table(datasets).render(on: .output))
    }
}

struct DataShow: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show", abstract: "Show a dataset's dictionary, policy and a few mock rows.")

    @OptionGroup var options: PlaceOptions
    @Argument(help: "The dataset.", completion: DatasetNames.completion) var dataset: String

    func run() async throws {
        let place = try options.place()
        let name = dataset
        let detail = try await place.detail(name)
        CatalogueView(detail: detail).show(on: .output)
    }
}
