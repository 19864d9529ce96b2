import Foundation
import MarketplaceStore
import Testing

@testable import Marketplace

@Suite("What proves which rows a dispute opens")
struct DrawProofTests {
    /// Played until the sponsor has declared.
    private func declared() throws -> (place: TemporaryPath, play: PlayedFolder) {
        let place = TemporaryPath()
        var play = try PlayedFolder(at: place.path)
        let winner = try play.train()
        let contributions = ["olga", "omar"].map { Contribution(owner: party($0), score: .zero, error: .zero) }
        let finals = [Verdict.Final(node: winner, score: Score(0.84) ?? .zero)]
        try play.does("sue", .declare(Verdict(finals: finals, contributions: contributions)))
        return (place, play)
    }

    private func drawn(_ place: TemporaryPath, _ play: PlayedFolder) throws -> DrawProof {
        let audit = try MarketAudit(of: place.path)
        return try audit.drawProof(of: try #require(audit.market[play.task]))
    }

    private func verified(_ proof: DrawProof, _ play: PlayedFolder) throws -> DrawProof.Proved {
        try proof.verify(
            market: play.folder.description.market, operatorKey: signer("clerk").publicKey,
            sponsorKey: signer("sue").publicKey)
    }

    @Test(
        "The folder keeps the checkpoint that the operator brings, and proves with it that it came behind the declaration"
    )
    func kept() throws {
        let (place, play) = try declared()
        #expect(throws: MarketFolderError.self) { try drawn(place, play) }
        let before = play.folder.count
        #expect(try play.folder.draw(for: play.task, at: 301) == .done(.none))
        let proof = try drawn(place, play)
        let proved = try verified(proof, play)
        let task = try #require(play.folder.market[play.task])
        #expect(proved.task == play.task && proved.terms == task.terms && proved.verdict == task.declaration?.verdict)
        #expect(proved.checkpoint == task.checkpoint && task.checkpoint == .sha256(proof.checkpoint))
        #expect(String(decoding: proof.checkpoint, as: UTF8.self).contains("\n\(before)\n"))

        // A second one changes nothing, and the first is kept.
        guard case .refused = try play.folder.draw(for: play.task, at: 302) else {
            Issue.record("a task drew twice")
            return
        }
        let again = try drawn(place, play)
        #expect(again.checkpoint == proof.checkpoint)
        #expect(try verified(again, play) == proved)
        // The market is as sound as before.
        _ = try MarketAudit(of: place.path, key: signer("clerk").publicKey)
    }

    @Test(
        "A checkpoint that was changed or taken away is found, as is a task that drew by another than the folder keeps")
    func changed() throws {
        let (place, play) = try declared()
        try play.folder.draw(for: play.task, at: 301)
        let file = "\(place.path)/draws/\(play.task)"
        let kept = try Data(contentsOf: URL(filePath: file))
        try (kept + Data("\n".utf8)).write(to: URL(filePath: file))
        let changed = #expect(throws: MarketFolderError.self) { try drawn(place, play) }
        #expect(changed?.isContradiction == true)
        try FileManager.default.removeItem(atPath: file)
        let missing = #expect(throws: MarketFolderError.self) { try drawn(place, play) }
        #expect(missing?.isContradiction == false)

        // By an entry alone, as an operator may whose program keeps nothing.
        let (second, other) = try declared()
        _ = try other.folder.operate(.task(other.task, .checkpoint(hashed("checkpoint"))), at: 301)
        #expect(throws: MarketFolderError.self) { try drawn(second, other) }
    }

    @Test("A crash between the kept checkpoint and its entry leaves a task that draws by a later one")
    func crashed() throws {
        let (place, play) = try declared()
        // What a crash leaves: a file, and no entry.
        let file = "\(place.path)/draws/\(play.task)"
        try FileManager.default.createDirectory(atPath: "\(place.path)/draws", withIntermediateDirectories: false)
        try Data("an earlier checkpoint".utf8).write(to: URL(filePath: file))
        try play.clock(301)
        #expect(try play.folder.draw(for: play.task, at: 301) == .done(.none))
        _ = try verified(try drawn(place, play), play)
    }
}
