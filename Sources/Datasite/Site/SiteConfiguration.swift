import DatasiteProtocol
import Foundation

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// What the owner sets for the site in `parley.yaml` in its folder; a site without the file has nothing set.
///
/// It is read as strictly as a manifest: an unknown key is refused with its place. Whoever can write it has a command run
/// as the site's user, so it must be hers alone to write.
struct SiteConfiguration: Sendable, Equatable {
    /// The command that is started when a request begins to wait: a full path and its arguments. nil: none.
    var notify: [String]?
    /// Who cosigns the log.
    var witnesses: [NamedWitness] = []

    /// The largest file, in bytes.
    static let largestFile = 64 << 10

    init() {}

    /// Reads the text of the file. One that holds nothing but comments sets nothing.
    ///
    /// - Throws: A `Problem` (`invalid-manifest`) that names line, column and key.
    init(_ text: String) throws {
        let lines = text.split(whereSeparator: \.isNewline).map { $0.drop(while: \.isWhitespace) }
        guard lines.contains(where: { !$0.isEmpty && !$0.hasPrefix("#") }) else { return }
        let keys = try YAMLValue.document(text).mapping(["notify", "witnesses"])
        notify = try keys["notify"].map(Self.command)
        witnesses = try keys["witnesses"]?.sequence().map(NamedWitness.init) ?? []
        guard witnesses.count <= 16, Set(witnesses.map(\.key)).count == witnesses.count else {
            throw try YAMLValue.document(text).problem("expected at most 16 witnesses, each once")
        }
    }

    /// Reads the file at that path, if there is one.
    ///
    /// - Throws: A `Problem`: `forbidden` where others than the site's user may write it, `site-unavailable` where it cannot
    ///   be read or says something wrong.
    init(path: String) throws {
        do { try self.init(Self.text(path) ?? "") } catch let problem as Problem where problem.kind == .invalidManifest
        {
            throw Problem.unavailable("\(path): \(problem.detail)", hint: problem.hint)
        }
    }

    /// Refuses a command that others than root and the site's user could have written; whether it is there is seen when it is run.
    ///
    /// - Throws: A `Problem`, `forbidden`.
    static func checkProgram(_ path: String) throws {
        var status = stat()
        guard stat(path, &status) == 0 else { return }
        try checkWriters(of: "the command \(path)", status, mayBeRoot: true, remedy: "chmod go-w \(path)")
    }

    /// Refuses what others could have written, since it is run, or says what is run, as the site's user.
    private static func checkWriters(of what: String, _ status: stat, mayBeRoot: Bool, remedy: String) throws {
        guard status.st_uid == geteuid() || mayBeRoot && status.st_uid == 0 else {
            throw Problem.forbidden(
                "\(what) belongs to another user, who could have any command run here",
                hint: "it must belong to \(mayBeRoot ? "root or " : "")the user who runs the datasite: chown")
        }
        guard status.st_mode & 0o022 == 0 else {
            throw Problem.forbidden(
                "others may write \(what) (mode \(String(status.st_mode & 0o777, radix: 8))), and so have any command run here",
                hint: "\(remedy), and look at what stands in it")
        }
    }

    private static func command(_ value: YAMLValue) throws -> [String] {
        let form = "[/full/path/of/command, argument, ...]"
        guard value.isSequence else {
            throw value.problem(
                "expected a list: \(form)",
                hint: "it is run without a shell, so that nothing takes a text apart into words"
            )
        }
        let words = try value.sequence().map { item in
            let word = try item.text("a word of the command")
            guard !word.utf8.contains(0) else { throw item.problem("a word of the command holds a zero byte") }
            return word
        }
        guard let program = words.first else {
            throw value.problem("the list is empty: expected \(form)", hint: "without the key nothing is run")
        }
        guard program.hasPrefix("/") else {
            throw value.problem(
                "the command must be given by its full path, which begins with /", hint: "`command -v NAME` tells it")
        }
        return words
    }

    /// nil if there is no such file. What is looked at is the file that is read, not another that takes its name meanwhile.
    private static func text(_ path: String) throws -> String? {
        let file = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)
        guard file >= 0 else {
            if errno == ENOENT { return nil }
            let isLink = errno == ELOOP
            throw Problem.unavailable(
                "\(path) cannot be read: \(isLink ? "it is a symbolic link" : SiteFolder.reason())",
                hint: isLink ? "put the file itself there" : nil)
        }
        let handle = FileHandle(fileDescriptor: file, closeOnDealloc: true)
        var status = stat()
        guard fstat(file, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            throw Problem.unavailable("\(path) is not a file")
        }
        try checkWriters(of: path, status, mayBeRoot: false, remedy: "chmod 600 \(path)")
        let bytes = try handle.read(upToCount: largestFile + 1) ?? Data()
        guard bytes.count <= largestFile else {
            throw Problem.tooLarge("\(path) has more than \(largestFile >> 10) KiB")
        }
        guard let text = String(bytes: bytes, encoding: .utf8) else {
            throw Problem.unavailable("\(path) is not UTF-8")
        }
        return text
    }
}
