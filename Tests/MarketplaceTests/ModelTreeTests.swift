import Foundation
import Testing

@testable import Marketplace

@Suite("The tree of models")
struct ModelTreeTests {
    /// A task with two models, one trained twice and gone on from by another description.
    private func tree() -> ModelTree {
        var tree = ModelTree(task: hashed("task"), sponsor: party("sue"))
        tree.add(below: 0, author: party("ada"), content: hashed("m1"), round: nil)
        tree.add(below: 0, author: party("ben"), content: hashed("m2"), round: nil)
        tree.add(below: 1, author: party("ada"), content: hashed("w1"), round: 0)
        tree.add(below: 3, author: party("ada"), content: hashed("w2"), round: 1)
        tree.add(below: 3, author: party("ben"), content: hashed("m3"), round: nil)
        tree.add(below: 5, author: party("ben"), content: hashed("w3"), round: 2)
        tree.note(score(0.75), of: 3)
        tree.note(score(0.8125), of: 6)
        return tree
    }

    @Test("Paths, leaves and descriptions")
    func structure() {
        var tree = tree()
        #expect(tree.path(to: 6) == [0, 1, 3, 5, 6] && tree.path(to: 0) == [0] && tree.path(to: 7).isEmpty)
        #expect(tree.leaves == [2, 4, 6])
        #expect(tree.specification(above: 6) == 5 && tree.specification(above: 4) == 1)
        #expect(tree.specification(above: 0) == nil)
        // No model without a description, nothing below what does not exist.
        #expect(tree.add(below: 0, author: party("ada"), content: hashed("x"), round: 1) == nil)
        #expect(tree.add(below: 9, author: party("ada"), content: hashed("x"), round: nil) == nil)
        var last = 0
        for _ in 0..<TaskTerms.Limit.depth {
            last = tree.add(below: last, author: party("ada"), content: hashed("x"), round: nil) ?? last
        }
        #expect(tree.add(below: last, author: party("ada"), content: hashed("x"), round: nil) == nil)
        #expect(tree.lines().count == tree.nodes.count)
    }

    @Test("As text, with the winner's path")
    func text() {
        let expected = """
            0 task of sue \(hashed("task").hex.prefix(8)) *
            ├─ 1 model by ada \(hashed("m1").hex.prefix(8)) *
            │  └─ 3 trained for ada \(hashed("w1").hex.prefix(8)), 0.75 *
            │     ├─ 4 trained for ada \(hashed("w2").hex.prefix(8))
            │     └─ 5 model by ben \(hashed("m3").hex.prefix(8)) *
            │        └─ 6 trained for ben \(hashed("w3").hex.prefix(8)), 0.8125 *
            └─ 2 model by ben \(hashed("m2").hex.prefix(8))
            """
        #expect(tree().lines(winner: 6).joined(separator: "\n") == expected)
        #expect(!tree().lines().joined().contains("*"))
    }

    @Test("As SVG: well-formed, each node once, boxes that do not overlap, the path in bold")
    func picture() throws {
        let svg = tree().svg(winner: 6)
        #expect(XMLChecker.isWellFormed(svg) && !XMLChecker.isWellFormed(svg + "<a>"))
        #expect(svg.components(separatedBy: "<rect").count == 8 && svg.components(separatedBy: "<line").count == 7)
        // Five nodes and four edges of the path.
        #expect(svg.components(separatedBy: "stroke-width=\"3\"").count == 10)
        #expect(!svg.contains("script") && !svg.contains("href"))
        let boxes = svg.matches(of: /<rect x="(-?\d+)" y="(\d+)" width="(\d+)"/).map {
            (Int($0.1), Int($0.2), Int($0.3))
        }
        for (place, a) in boxes.enumerated() {
            for b in boxes.dropFirst(place + 1) where a.1 == b.1 {
                #expect(abs((a.0 ?? 0) - (b.0 ?? 0)) >= a.2 ?? 0)
            }
            #expect(a.0 ?? -1 >= 0)
        }
        var long = ModelTree(task: hashed("task"), sponsor: party(String(repeating: "m", count: 64)))
        long.add(below: 0, author: party(String(repeating: "w", count: 64)), content: hashed("m"), round: nil)
        #expect(long.svg().contains("\(String(repeating: "w", count: 19))…"))
    }

    @Test("Scores are exact in text and JSON")
    func scores() throws {
        for (value, text) in [(0.5, "0.5"), (-0.000000001, "-0.000000001"), (12.25, "12.25"), (0, "0"), (-3, "-3")] {
            #expect(score(value).description == text)
            let data = try JSONEncoder().encode(score(value))
            #expect(try JSONDecoder().decode(Score.self, from: data) == score(value))
        }
        for value in [Double.nan, .infinity, 1e6 + 1, -2e300] { #expect(Score(value) == nil) }
        #expect(Score(billionths: .min) == nil && Score(1e6)?.billionths == Score.mostBillionths)
    }
}

/// Whether every tag is closed in its order, and text holds no stray brackets: enough for a picture without attributes of others.
enum XMLChecker {
    static func isWellFormed(_ text: String) -> Bool {
        var open: [Substring] = []
        for tag in text.matches(of: /<(\/?)([a-z]+)([^<>]*?)(\/?)>/) {
            if tag.1 == "/" {
                guard open.popLast() == tag.2 else { return false }
            } else if tag.4.isEmpty {
                open.append(tag.2)
            }
        }
        let rest = text.replacing(/<\/?[a-z]+[^<>]*?>/, with: "")
        return open.isEmpty && !rest.contains("<") && !rest.contains(">")
    }
}
