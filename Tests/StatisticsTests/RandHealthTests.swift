import DifferentialPrivacy
import Foundation
import Secrets
import Testing

@testable import Statistics

/// The RAND Health Insurance Experiment (../shared/data/surveys/randhie.csv.gz): 20,190 rows, up to 5 of a person.
enum RandHealth {
    static var file: URL? {
        var folder = URL(filePath: #filePath).deletingLastPathComponent()
        for _ in 0..<2 { folder = folder.deletingLastPathComponent() }
        let beside = "../shared/data/surveys/randhie.csv.gz"
        let places = [folder, URL(filePath: FileManager.default.currentDirectoryPath)].map {
            $0.appending(path: beside)
        }
        return places.map(\.standardizedFileURL).first { FileManager.default.fileExists(atPath: $0.path) }
    }

    /// Persons with their rows of coinsurance, age, chronic diseases and sex, and of visits to doctors.
    static func units() throws -> [[RegressionRow]] {
        let process = BegunProcess()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = ["gzip", "-dc", try #require(file).path]
        let output = Pipe()
        process.standardOutput = output
        try process.begin()
        let data = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        let lines = String(decoding: data, as: UTF8.self).split(separator: "\n")
        let header = try #require(lines.first).split(separator: ",", omittingEmptySubsequences: false).map(String.init)
        let columns = try ["zper", "coins", "xage", "disea", "female", "mdvis"].map {
            try #require(header.firstIndex(of: $0))
        }
        var units: [[RegressionRow]] = []
        var person = ""
        for line in lines.dropFirst() {
            let fields = line.split(separator: ",", omittingEmptySubsequences: false)
            let values = columns.dropFirst().map { Double(fields[$0]) ?? .nan }
            let row = RegressionRow(Array(values.prefix(4)), response: values[4])
            if fields[columns[0]] == person {
                units[units.count - 1].append(row)
            } else {
                person = String(fields[columns[0]])
                units.append([row])
            }
        }
        return units
    }

    static func design() throws -> RegressionDesign {
        try RegressionDesign([
            .numeric(lower: 0, upper: 100), .numeric(lower: 0, upper: 67), .numeric(lower: 0, upper: 60),
            .category(levels: 2),
        ])
    }
}

@Suite("The RAND Health Insurance Experiment", .enabled(if: RandHealth.file != nil, "../shared/data is absent"))
struct RandHealthTests {
    /// statsmodels 0.15, by persons as clusters.
    private let estimates = [
        0.12485461726622227, -0.006720761031627441, 0.004329498831937883, 0.0555168864345506, 0.29594426395631485,
    ]
    private let errors = [
        0.056631394977586846, 0.0005797228934240052, 0.0013269441044908143, 0.004014440282088286, 0.0444256459182413,
    ]

    @Test(
        "Whether somebody saw a doctor: without noise statsmodels' answer with errors by persons; with noise intervals around it"
    )
    func logistic() throws {
        let units = try RandHealth.units().map { unit in
            unit.map { RegressionRow($0.predictors, response: $0.response > 0 ? 1 : 0) }
        }
        #expect(units.count == 5912 && units.allSatisfy { $0.count <= 5 })
        var generator = SeededGenerator(seed: 101)
        let exact = try PrivateGLM(RandHealth.design(), family: .logistic, rowsPerUnit: 5, loss: NoNoise.losses[1])
        let answer = try exact.release(units: units, using: &generator)
        #expect(answer.withheld == nil && answer.variance == .robust)
        for (k, coefficient) in answer.coefficients.enumerated() {
            #expect(abs(coefficient.estimate - estimates[k]) < 0.05 * errors[k])
            #expect(isNear([try #require(coefficient.standardError)], [errors[k]], 0.05) || errors[k] < 0.05)
        }
        let noisy = try PrivateGLM(
            RandHealth.design(), family: .logistic, rowsPerUnit: 5, loss: try PrivacyLoss(roundingDownRho: 1))
        let released = try noisy.release(units: units, using: &generator)
        for (k, coefficient) in released.coefficients.enumerated() {
            let interval = try #require(coefficient.interval(confidence: 0.9999))
            #expect(interval.lower < estimates[k] && estimates[k] < interval.upper)
        }
    }

    @Test("How often, which has a far longer tail than Poisson's: what the cut loses is seen, and no interval is given")
    func poisson() throws {
        let units = try RandHealth.units()
        var generator = SeededGenerator(seed: 102)
        let model = try PrivateGLM(
            RandHealth.design(), family: .poisson(largest: 50), rowsPerUnit: 5, loss: NoNoise.losses[1])
        let answer = try model.release(units: units, using: &generator)
        #expect(answer.withheld == .clipped && answer.coefficients.allSatisfy { $0.interval() == nil })
        // statsmodels' slope of coinsurance and of chronic diseases, which the cut moves little.
        #expect(abs(answer.coefficients[1].estimate + 0.0033947) < 0.0006)
        #expect(abs(answer.coefficients[3].estimate - 0.0356344) < 0.006)
    }
}
