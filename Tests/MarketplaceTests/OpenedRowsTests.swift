import Testing

@testable import Marketplace

@Suite("Rows that a dispute opens")
struct OpenedRowsTests {
    @Test("Rows that a dispute opens: at least 400, different, of the checkpoint, and each as likely as any other")
    func rows() {
        let draw = OpenedRows.draw(10, of: 5_000, task: hashed("t"), checkpoint: hashed("c"))
        #expect(draw.count == 400 && Set(draw).count == 400 && draw == draw.sorted())
        #expect(draw.allSatisfy { (0..<5_000).contains($0) })
        #expect(draw == OpenedRows.draw(400, of: 5_000, task: hashed("t"), checkpoint: hashed("c")))
        #expect(draw != OpenedRows.draw(400, of: 5_000, task: hashed("t"), checkpoint: hashed("d")))
        #expect(draw != OpenedRows.draw(400, of: 5_000, task: hashed("u"), checkpoint: hashed("c")))
        #expect(OpenedRows.draw(900, of: 300, task: hashed("t"), checkpoint: hashed("c")) == Array(0..<300))
        #expect(OpenedRows.draw(1, of: 0, task: hashed("t"), checkpoint: hashed("c")).isEmpty)
        // 400 of 500 in 300 draws: each row 240 times, with a deviation of 6.9. Chi-square of 499 degrees, scaled by 1 / (1 - .8): above 680 once in 10^7.
        var counts = [Double](repeating: 0, count: 500)
        for number in 0..<300 {
            for row in OpenedRows.draw(1, of: 500, task: hashed("t"), checkpoint: hashed("c\(number)")) {
                counts[row] += 1
            }
        }
        let square = counts.reduce(0) { $0 + ($1 - 240) * ($1 - 240) / (240 * 0.2) }
        #expect(square < 680 && square > 350)
    }
}
