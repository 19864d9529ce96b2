import Foundation
import Testing

@Suite("The marketplace, played", .timeLimit(.minutes(20)))
struct MarketDemoTests {
    private static let archive = URL(filePath: Workplace.package).deletingLastPathComponent().appending(
        path: "shared/data/pneumoniamnist/pneumoniamnist_full.npz"
    ).path

    @Test("A task is played from funding to payout, every invariant holds, and its folder proves itself")
    func played() throws {
        let place = try Workplace()
        let gone = try place.parley("demo", "market", "--data", "nowhere.npz")
        #expect(gone.status == 1 && gone.errors.contains("nowhere.npz cannot be read"), "\(gone.all)")
        guard FileManager.default.fileExists(atPath: Self.archive) else {
            print("skipped: \(Self.archive) is not there, so that no market is played")
            return
        }
        let played = try place.parley("demo", "market", "--data", Self.archive, "--keep", "kept")
        #expect(played.status == 0, "\(played.all)")
        #expect(played.output.contains("Every step held") && !played.output.contains("BROKEN"), "\(played.all)")
        #expect(try place.read("kept/tree.svg").contains("<svg"))
        let again = try place.parley("demo", "market", "--data", Self.archive, "--keep", "kept")
        #expect(again.status == 1 && again.errors.contains("kept cannot be made"), "\(again.all)")

        // Whoever has the folder alone comes to the same.
        let key = try #require(played.output.firstMatch(of: #/--key ([0-9a-f]{64})/#)?.1)
        let verified = try place.parley("market", "verify", "kept/market", "--key", "\(key)")
        #expect(verified.status == 0, "\(verified.all)")
        let other = try place.parley("market", "verify", "kept/market", "--key", String(repeating: "1", count: 64))
        #expect(other.status != 0, "\(other.all)")
    }
}
