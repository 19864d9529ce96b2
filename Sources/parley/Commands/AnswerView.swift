import DatasiteProtocol

/// An answer in the form that was asked for. The result goes to standard output, remarks to the diagnostics, so that
/// CSV and JSON can be piped.
struct AnswerView {
    let answer: Answer
    let bytes: [UInt8]
    let output: OutputOptions
    /// How the table is drawn, where that is not as any answer's.
    var draw: (@Sendable (Answer) -> Void)?

    func show(on terminal: Terminal) {
        let table = AnswerTable(answer)
        switch output.format {
        case .json: terminal.json(bytes)
        case .csv:
            terminal.write(table.commaSeparated())
        case .table:
            if answer.mock {
                terminal.paragraph(
                    "Mock answer: not from the data. Its intervals hold its own noise alone (\(answer.charge.chargeText)), not how far "
                        + "its rows are from the data's.", .yellow)
            }
            if let draw {
                draw(answer)
            } else if !output.plot || answer.columns.allSatisfy(\.isKey) {
                terminal.write(table.render(on: terminal))
            }
        }
        if output.plot {
            let canvas = output.format == .table ? terminal : .diagnostics
            for (number, plot) in table.plots().enumerated() {
                if number > 0 { canvas.line() }
                canvas.write(plot.render(on: canvas))
            }
        }
        guard output.format == .table else { return }
        let bounding = BoundingText(answer)
        for line in bounding.material { terminal.paragraph(line, .yellow) }
        // Beside the numbers also where remarks are not wanted: without it a mark means nothing.
        for line in table.legend() { terminal.paragraph(line, .yellow) }
        // Nothing at all would look like a failure.
        if answer.rows.isEmpty, let reason = answer.notes.first { terminal.paragraph(reason, .yellow) }
        guard !output.quiet else { return }
        for line in bounding.slight { terminal.paragraph(line, .dim) }
        showRemarks(on: terminal)
    }

    private func showRemarks(on terminal: Terminal) {
        for note in answer.notes.dropFirst(answer.rows.isEmpty ? 1 : 0) { terminal.paragraph(note, .dim) }
        // With several sites each has a charge of its own.
        guard answer.federation == nil else { return }
        let cost =
            answer.mock
            ? "Charged nothing." : "Charged \(answer.charge.chargeText); request \(answer.request)."
        terminal.paragraph(cost, .dim)
    }
}

/// What a question would cost and how precise it would be.
struct PreviewView {
    let preview: Preview

    func show(on terminal: Terminal) {
        var rows = [["would cost", preview.charge.chargeText], ["you have left", preview.available.text]]
        if let left = preview.left { rows.append(["that is", left.words]) }
        rows.append(["decision", preview.decision])
        terminal.write(TextTable(titles: ["", ""], rows: rows).render(on: terminal))
        if let groups = preview.groups {
            terminal.line("Groups: \(NumberText.integer(groups)) (public, so empty ones too)")
        }
        terminal.line()
        terminal.write(Self.table(preview.columns).render(on: terminal))
        for note in preview.notes { terminal.paragraph(note, .dim) }
        terminal.line(terminal.styled("Nothing was spent.", .dim))
    }

    /// What is known of an answer's columns beforehand.
    static func table(_ columns: [Preview.Column]) -> TextTable {
        var table = TextTable([
            .init(title: "column"), .init(title: "type"), .init(title: "95 % half-width", alignsRight: true),
            .init(title: "noise"),
        ])
        for column in columns {
            table.append([
                column.name, column.type, halfWidth(column), column.isKey ? "none: a key" : column.mechanism ?? "",
            ])
        }
        return table
    }

    /// The half-width of a mean depends on how many rows its group has, which nobody may know beforehand.
    private static func halfWidth(_ column: Preview.Column) -> String {
        if let error = column.expectedError { return "± " + NumberText.significant(error, digits: 3) }
        return column.isKey ? "" : "by group size"
    }
}
