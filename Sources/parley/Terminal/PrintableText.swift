/// Text from elsewhere (keys, names, descriptions) made safe for a terminal (docs/privacy.md, rule 16): controls, bidirectional
/// overrides and invisible characters could otherwise move the cursor, recolour or hide what is beside them.
enum PrintableText {
    static func escape(_ text: String) -> String {
        guard text.unicodeScalars.contains(where: isUnsafe) else { return text }
        var result = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\n": result += "\\n"
            case "\r": result += "\\r"
            case "\t": result += "\\t"
            case _ where isUnsafe(scalar): result += "\\u{\(String(scalar.value, radix: 16, uppercase: true))}"
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }

    /// Escapes each line, keeping the line breaks: for descriptions that an owner wrote over several lines.
    static func escapeLines(_ text: String) -> [String] {
        text.split(separator: "\n", omittingEmptySubsequences: false).map { escape(String($0)) }
    }

    /// JSON that says the same, in which no scalar that a terminal would obey stands as it is: all are inside of texts.
    static func escapeJSON(_ json: String) -> String {
        guard json.unicodeScalars.contains(where: { $0 != "\n" && isUnsafe($0) }) else { return json }
        var result = ""
        for scalar in json.unicodeScalars {
            guard scalar != "\n", isUnsafe(scalar) else {
                result.unicodeScalars.append(scalar)
                continue
            }
            for unit in UTF16.encode(scalar) ?? UTF16.encodedReplacementCharacter {
                let digits = String(unit, radix: 16)
                result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            }
        }
        return result
    }

    private static func isUnsafe(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator, .privateUse, .surrogate, .unassigned: true
        default: false
        }
    }

    /// The number of terminal columns of escaped text: combining marks take none, East Asian wide characters and
    /// pictographs two (Unicode Standard Annex 11, in the ranges that matter).
    static func width(_ text: some StringProtocol) -> Int {
        text.unicodeScalars.reduce(0) { $0 + width($1) }
    }

    private static func width(_ scalar: Unicode.Scalar) -> Int {
        if scalar.isASCII { return 1 }
        switch scalar.properties.generalCategory {
        case .nonspacingMark, .enclosingMark: return 0
        default: break
        }
        switch scalar.value {
        // Vowels and final consonants that join the syllable before them.
        case 0x1160...0x11FF: return 0
        case 0x1100...0x115F, 0x2E80...0x303E, 0x3041...0x33FF, 0x3400...0x4DBF, 0x4E00...0x9FFF, 0xA000...0xA4CF,
            0xA960...0xA97C, 0xAC00...0xD7A3, 0xF900...0xFAFF, 0xFE30...0xFE6F, 0xFF00...0xFF60, 0xFFE0...0xFFE6,
            0x17000...0x18CFF, 0x1B000...0x1B2FF, 0x1F300...0x1F64F, 0x1F900...0x1F9FF, 0x20000...0x3FFFD:
            return 2
        // Two of them are a flag, as wide as two letters.
        case 0x1F1E6...0x1F1FF: return 1
        default: return scalar.properties.isEmojiPresentation ? 2 : 1
        }
    }

    static func widestWord(_ text: String) -> Int {
        text.split(separator: " ").reduce(0) { max($0, width($1)) }
    }

    static func padded(_ text: String, to columns: Int, right: Bool = false) -> String {
        let space = String(repeating: " ", count: max(0, columns - width(text)))
        return right ? space + text : text + space
    }

    /// As it is where it fits; else its beginning, and an ellipsis.
    static func cut(_ text: String, to columns: Int, ellipsis: String) -> String {
        guard width(text) > columns else { return text }
        var (beginning, left) = ("", columns - width(ellipsis))
        for character in text {
            left -= width(String(character))
            guard left >= 0 else { break }
            beginning.append(character)
        }
        return withoutTrailingSpaces(beginning) + ellipsis
    }

    static func withoutTrailingSpaces(_ line: String) -> String {
        String(line.reversed().drop { $0 == " " }.reversed())
    }

    /// Breaks at spaces, and words that are wider at characters, so that no line is wider than `columns`. Nothing is lost but the
    /// space at which a line was broken.
    static func wrapped(_ text: String, to columns: Int) -> [String] {
        var lines: [String] = []
        var line: String?
        for word in text.split(separator: " ", omittingEmptySubsequences: false) {
            if let begun = line {
                if width(begun) + 1 + width(word) <= columns {
                    line = begun + " " + word
                    continue
                }
                lines.append(begun)
            }
            var pieces = broken(word, to: columns)
            line = pieces.removeLast()
            lines += pieces
        }
        return lines + [line ?? ""]
    }

    /// A word in pieces, at least one; a character stays whole.
    private static func broken(_ word: Substring, to columns: Int) -> [String] {
        guard width(word) > columns else { return [String(word)] }
        var pieces: [String] = []
        var piece = ""
        for character in word {
            if !piece.isEmpty, width(piece) + width(String(character)) > columns {
                pieces.append(piece)
                piece = ""
            }
            piece.append(character)
        }
        return pieces + [piece]
    }
}
