extension ModelTree {
    /// The tree as lines of text, the root first, with the winner's path marked by `*`.
    public func lines(winner: Int? = nil) -> [String] {
        let path = Set(winner.map { self.path(to: $0) } ?? [])
        var lines: [String] = []
        // What is left to draw, the next one last: a node, and what stands before its own branch and its children's.
        var open: [(node: Int, own: String, children: String)] = [(0, "", "")]
        while let (number, own, children) = open.popLast() {
            lines.append(own + label(number) + (path.contains(number) ? " *" : ""))
            for (place, child) in nodes[number].children.enumerated().reversed() {
                let isLast = place == nodes[number].children.count - 1
                open.append((child, children + (isLast ? "└─ " : "├─ "), children + (isLast ? "   " : "│  ")))
            }
        }
        return lines
    }

    /// What a node says: its number, kind, author, content and feedback.
    private func label(_ number: Int) -> String {
        let node = nodes[number]
        let kind =
            switch node.kind {
            case .task: "task of"
            case .specification: "model by"
            case .trained: "trained for"
            }
        let score = node.score.map { ", \($0)" } ?? ""
        return "\(number) \(kind) \(node.author) \(node.content.hex.prefix(8))\(score)"
    }

    /// The tree as a picture (SVG 1.1), the root on top, the winner's path in bold. Without scripts, references or styles from outside.
    public func svg(winner: Int? = nil) -> String {
        let (columns, width) = self.columns
        let path = Set(winner.map { self.path(to: $0) } ?? [])
        let (cell, row, box) = (176, 76, 44)
        let depth = nodes.map(\.depth).max() ?? 0
        func x(_ node: Int) -> Int { Int(columns[node] * Double(cell)) + cell / 2 }
        func y(_ node: Int) -> Int { nodes[node].depth * row + 8 }
        var parts = [
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"\(width * cell)\" height=\"\(depth * row + box + 16)\""
                + " font-family=\"sans-serif\" font-size=\"11\" text-anchor=\"middle\">"
        ]
        for (number, node) in nodes.enumerated() {
            guard let parent = node.parent else { continue }
            let stroke = path.contains(number) ? "stroke=\"#0a7d38\" stroke-width=\"3\"" : "stroke=\"#888\""
            parts.append(
                "<line x1=\"\(x(parent))\" y1=\"\(y(parent) + box)\" x2=\"\(x(number))\" y2=\"\(y(number))\" \(stroke)/>"
            )
        }
        for (number, node) in nodes.enumerated() {
            let stroke = path.contains(number) ? "stroke=\"#0a7d38\" stroke-width=\"3\"" : "stroke=\"#888\""
            let left = x(number) - cell / 2 + 6
            parts.append(
                "<rect x=\"\(left)\" y=\"\(y(number))\" width=\"\(cell - 12)\" height=\"\(box)\" rx=\"6\""
                    + " fill=\"\(Self.fill(node.kind))\" \(stroke)/>")
            for (line, text) in Self.words(number, node).enumerated() {
                parts.append(
                    "<text x=\"\(x(number))\" y=\"\(y(number) + 18 + 16 * line)\">\(Self.escaped(text))</text>")
            }
        }
        return (parts + ["</svg>"]).joined(separator: "\n") + "\n"
    }

    /// Each node's column, in units of a leaf's width: a leaf has one of its own, a parent is in the middle of its children.
    private var columns: ([Double], width: Int) {
        var columns = [Double](repeating: 0, count: nodes.count)
        var width = 0
        var open = [(node: 0, isDone: false)]
        while let (number, isDone) = open.popLast() {
            let children = nodes[number].children
            if children.isEmpty {
                columns[number] = Double(width)
                width += 1
            } else if isDone {
                columns[number] = (columns[children[0]] + columns[children[children.count - 1]]) / 2
            } else {
                open.append((number, true))
                for child in children.reversed() { open.append((child, false)) }
            }
        }
        return (columns, width)
    }

    private static func fill(_ kind: Kind) -> String {
        switch kind {
        case .task: "#e8eefc"
        case .specification: "#fff6df"
        case .trained: "#ffffff"
        }
    }

    private static func words(_ number: Int, _ node: Node) -> [String] {
        let first = node.kind == .task ? "task" : node.kind == .specification ? "model" : "trained"
        // A name has at most 64 characters; a box has room for 20.
        let author = node.author.text.count > 20 ? node.author.text.prefix(19) + "…" : node.author.text[...]
        let second = node.score.map { "\(author): \($0)" } ?? String(author)
        return ["\(number) \(first) \(node.content.hex.prefix(8))", second]
    }

    private static func escaped(_ text: String) -> String {
        text.reduce(into: "") { result, character in
            switch character {
            case "&": result += "&amp;"
            case "<": result += "&lt;"
            case ">": result += "&gt;"
            default: result.append(character)
            }
        }
    }
}
