/// Which validation rows are opened to a referee in a dispute: drawn by the log's next checkpoint, which nobody knew at the declaration, so that a
/// sponsor cannot keep rows ready that fit what she declared.
public enum OpenedRows {
    /// The least number of rows that a dispute opens, if there are so many: the standard error of an accuracy is then 0.025 at the most.
    public static let least = 400

    /// Different rows of 0 to `rows - 1`, in ascending order: `count` of them, at least ``least``, at most all. Uniform over all such sets if SHA-256 is a random function.
    ///
    /// Floyd's algorithm (Bentley and Floyd, "A sample of brilliance", CACM 1987), over words of SHA-256 in counter mode with rejection.
    public static func draw(_ count: Int, of rows: Int, task: Digest256, checkpoint: Digest256) -> [Int] {
        draw(exactly: max(count, least), of: rows, task: task, checkpoint: checkpoint)
    }

    /// As ``draw(_:of:task:checkpoint:)``, without a least number.
    static func draw(exactly count: Int, of rows: Int, task: Digest256, checkpoint: Digest256) -> [Int] {
        guard rows > 0 else { return [] }
        let count = min(rows, count)
        var words = Words(task: task, checkpoint: checkpoint)
        var chosen: Set<Int> = []
        for last in rows - count..<rows {
            let row = Int(words.next(below: UInt64(last) + 1))
            chosen.insert(chosen.contains(row) ? last : row)
        }
        return chosen.sorted()
    }

    private struct Words {
        private let task: Digest256
        private let checkpoint: Digest256
        private var counter = 0

        init(task: Digest256, checkpoint: Digest256) {
            self.task = task
            self.checkpoint = checkpoint
        }

        /// Uniform below the bound.
        mutating func next(below bound: UInt64) -> UInt64 {
            let most = UInt64.max - UInt64.max % bound
            while true {
                var bytes = CanonicalBytes("opened-rows")
                bytes.append(task)
                bytes.append(checkpoint)
                bytes.append(counter)
                counter += 1
                let word = bytes.digest.bytes.prefix(8).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
                if word < most { return word % bound }
            }
        }
    }
}
