import Foundation
public import Logging

/// Writes each log message as one JSON object a line, so that a collector needs no grammar.
public struct JSONLogHandler: LogHandler {
    /// Messages below it are not written.
    public var logLevel: Logger.Level
    /// Members that every line has.
    public var metadata: Logger.Metadata = [:]
    /// Gives further members for each line.
    public var metadataProvider: Logger.MetadataProvider?
    private let label: String
    private let write: @Sendable (String) -> Void

    /// - Parameter write: Takes a line with its line feed, and must not wait; ``LogOutput/standardError`` by default.
    public init(label: String, level: Logger.Level = .info, write: (@Sendable (String) -> Void)? = nil) {
        self.label = label
        self.write = write ?? LogOutput.standardError.write
        logLevel = level
    }

    /// A member that every line has.
    public subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    /// Writes one line: time, level, logger, message, and the members, by name.
    public func log(event: LogEvent) {
        let time = Date.now.formatted(.iso8601.year().month().day().time(includingFractionalSeconds: true))
        var members = [
            ("time", time + "Z"), ("level", event.level.rawValue), ("logger", label),
            ("message", event.message.description),
        ]
        let provided = metadataProvider?.get() ?? [:]
        let all = metadata.merging(provided) { $1 }.merging(event.metadata ?? [:]) { $1 }
        members += all.sorted { $0.key < $1.key }.map { ($0.key, $0.value.description) }
        let text = members.map { "\(Self.quoted($0.0)):\(Self.quoted($0.1))" }.joined(separator: ",")
        write("{\(text)}\n")
    }

    /// A JSON string (RFC 8259): a line feed in a value must not start a line of its own.
    static func quoted(_ text: String) -> String {
        var output = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"", "\\": output += "\\\(scalar)"
            case "\n": output += "\\n"
            case "\r": output += "\\r"
            case "\t": output += "\\t"
            case "\u{0}"..<" ", "\u{7F}"..."\u{9F}", "\u{2028}", "\u{2029}":
                let digits = String(scalar.value, radix: 16)
                output += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: output.unicodeScalars.append(scalar)
            }
        }
        return output + "\""
    }
}
