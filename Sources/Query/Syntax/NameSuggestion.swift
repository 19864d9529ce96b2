/// Finds the name that was probably meant.
public enum NameSuggestion {
    /// "Did you mean ...?" with the nearest name, else the list of names.
    static func hint(for name: String, among names: [String], what: String) -> String {
        if let nearest = nearest(to: name, among: names) { return "Did you mean \(nearest)?" }
        let shown = names.prefix(20).joined(separator: ", ")
        return "\(what): \(shown)\(names.count > 20 ? ", ..." : "")."
    }

    /// The nearest name, if at most a third of the letters differ, and never all of them.
    public static func nearest(to name: String, among names: [String]) -> String? {
        let wanted = Array(name.lowercased().unicodeScalars.prefix(64))
        let ranked = names.map { ($0, distance(wanted, Array($0.lowercased().unicodeScalars.prefix(64)))) }
        guard let best = ranked.min(by: { $0.1 < $1.1 }), best.1 <= Swift.max(1, wanted.count / 3),
            best.1 < wanted.count
        else { return nil }
        return best.0
    }

    /// The Levenshtein distance, with the swap of two neighbours as one step.
    static func distance(_ a: [Unicode.Scalar], _ b: [Unicode.Scalar]) -> Int {
        if a.isEmpty || b.isEmpty { return Swift.max(a.count, b.count) }
        var beforeLast = [Int](repeating: 0, count: b.count + 1)
        var last = Array(0...b.count)
        for i in 1...a.count {
            var row = [i] + [Int](repeating: 0, count: b.count)
            for j in 1...b.count {
                row[j] = Swift.min(last[j] + 1, row[j - 1] + 1, last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1))
                if i > 1, j > 1, a[i - 1] == b[j - 2], a[i - 2] == b[j - 1] {
                    row[j] = Swift.min(row[j], beforeLast[j - 2] + 1)
                }
            }
            beforeLast = last
            last = row
        }
        return last[b.count]
    }
}
