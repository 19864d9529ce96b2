import ArgumentParser

struct DataCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "data", abstract: "Describe, add and look at datasets.",
        subcommands: [
            DataDescribe.self, DataAdvise.self, DataAdd.self, DataList.self, DataShow.self, DataMock.self,
            DataVersion.self,
            DataAppend.self, DataPolicy.self, DataSynthesize.self, DataSynthetic.self, DataIntersections.self,
            DataCommit.self, DataRemove.self,
        ])
}
