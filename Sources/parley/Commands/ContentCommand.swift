import ArgumentParser
import ContentAddressing
import ContentStorage
import DatasiteServer
import Foundation
import Logging

struct ContentCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "content",
        abstract: "Publish files under names that follow from their bytes, for any IPFS client.",
        discussion: """
            A file's name (CID) is a digest of it, so that whoever fetches it checks it, wherever it comes from. What is published is public for ever: it can be withdrawn here, and not from those who have it.

              parley content publish ./content weights.safetensors
              parley content list ./content
              parley content serve ./content               # or: parley market serve ./market --content ./content
              curl -o model.car 'http://127.0.0.1:8960/ipfs/bafy...?format=car'
            """,
        subcommands: [
            ContentPublishCommand.self, ContentListCommand.self, ContentWithdrawCommand.self,
            ContentExportCommand.self, ContentImportCommand.self, ContentNameCommand.self, ContentServeCommand.self,
        ])
}

/// A folder of what is published.
enum ContentPlace {
    /// 64 GiB.
    static let quota = UInt64(64) << 30

    static func open(_ path: String) throws -> ContentStore {
        try failing { () throws(ContentError) in try ContentStore(at: path, quota: quota) }
    }

    static func failing<Value>(_ body: () throws(ContentError) -> Value) throws -> Value {
        do throws(ContentError) { return try body() } catch { throw Failure(PrintableText.escape("\(error)")) }
    }

    /// Nobody waits for what is no file, a pipe say.
    static func reading(_ path: String) throws -> FileHandle {
        let type =
            try? FileManager.default.attributesOfItem(
                atPath: URL(filePath: path).resolvingSymlinksInPath().path)[.type] as? FileAttributeType
        guard type == .typeRegular, let handle = FileHandle(forReadingAtPath: path) else {
            throw Failure(PrintableText.escape("\(path) is no file that can be read."))
        }
        return handle
    }

    static func name(_ text: String) throws -> CID {
        do { return try CID(text) } catch {
            throw Failure(PrintableText.escape("\(text) is no name of content: \(error)"))
        }
    }

    static func line(_ published: ContentStore.Published) -> String {
        "\(published.root)  \(NumberText.integer(Int(clamping: published.size))) bytes  \(PrintableText.escape(published.name))"
    }
}

struct ContentPublishCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "publish", abstract: "Make a file public under its name.",
        discussion: """
            Publishing cannot be taken back: a model that was trained on private data is public as far as its release was.

              parley content publish ./content weights.safetensors
            """)

    @Argument(help: "The folder of what is published.", completion: .directory) var folder: String
    @Argument(help: "The file.", completion: .file()) var file: String

    func run() throws {
        let store = try ContentPlace.open(folder)
        let published = try ContentPlace.failing { () throws(ContentError) in
            try store.publish(file: file, name: URL(filePath: file).lastPathComponent)
        }
        Terminal.output.line(ContentPlace.line(published))
    }
}

struct ContentListCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "Show what is published.",
        discussion: """
              parley content list ./content
            """)

    @Argument(help: "The folder of what is published.", completion: .directory) var folder: String

    func run() throws {
        let store = try ContentPlace.open(folder)
        let terminal = Terminal.output
        for published in store.published { terminal.line(ContentPlace.line(published)) }
        for (name, error) in store.damaged { terminal.line(PrintableText.escape("\(name) is damaged: \(error)")) }
        if store.published.isEmpty { terminal.line("Nothing is published here.") }
    }
}

struct ContentWithdrawCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "withdraw", abstract: "Give something no longer; whoever has it keeps it.",
        discussion: """
              parley content withdraw ./content bafkrei...
            """)

    @Argument(help: "The folder of what is published.", completion: .directory) var folder: String
    @Argument(help: "Its name.") var name: String

    func run() throws {
        let (store, root) = (try ContentPlace.open(folder), try ContentPlace.name(name))
        guard try ContentPlace.failing({ () throws(ContentError) in try store.withdraw(root) }) else {
            throw Failure("\(root) is not published here.", next: "parley content list shows what is.")
        }
        Terminal.output.line("\(root) is given no longer.")
    }
}

struct ContentExportCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "export", abstract: "Write something that is published as an archive (CARv1).",
        discussion: """
              parley content export ./content bafybei... model.car
            """)

    @Argument(help: "The folder of what is published.", completion: .directory) var folder: String
    @Argument(help: "Its name.") var name: String
    @Argument(help: "The archive to write.", completion: .file()) var output: String

    func run() throws {
        let (store, root) = (try ContentPlace.open(folder), try ContentPlace.name(name))
        guard store.published.contains(where: { $0.root.v1 == root.v1 }) else {
            throw Failure("\(root) is not published here.", next: "parley content list shows what is.")
        }
        guard !FileManager.default.fileExists(atPath: output) else {
            throw Failure(PrintableText.escape("\(output) is there already."), next: "Name another file.")
        }
        // What is not whole is not there.
        let partial = "\(output).\(ProcessInfo.processInfo.processIdentifier).partial"
        guard FileManager.default.createFile(atPath: partial, contents: nil),
            let handle = FileHandle(forWritingAtPath: partial)
        else { throw Failure(PrintableText.escape("\(output) cannot be written.")) }
        var writer = ArchiveWriter(of: root, in: store)
        do {
            while let piece = try writer.next() { try handle.write(contentsOf: Data(piece)) }
            try handle.synchronize()
            try FileManager.default.moveItem(atPath: partial, toPath: output)
        } catch {
            try? FileManager.default.removeItem(atPath: partial)
            throw Failure(PrintableText.escape("\(output) cannot be written: \(error)"))
        }
        Terminal.output.line("\(PrintableText.escape(output)) holds \(root).")
    }
}

struct ContentImportCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "import", abstract: "Publish what an archive (CARv1) holds; every block is checked.",
        discussion: """
              parley content import ./content model.car
            """)

    @Argument(help: "The folder of what is published.", completion: .directory) var folder: String
    @Argument(help: "The archive.", completion: .file()) var file: String

    func run() throws {
        let store = try ContentPlace.open(folder)
        let handle = try ContentPlace.reading(file)
        let published = try ContentPlace.failing { () throws(ContentError) in
            try store.publish(
                name: URL(filePath: file).lastPathComponent,
                archive: {
                    (try? handle.read(upToCount: 1 << 20)).flatMap { $0.isEmpty ? nil : [UInt8]($0) }
                })
        }
        Terminal.output.line(ContentPlace.line(published))
    }
}

struct ContentNameCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "name", abstract: "Show a file's name, and publish nothing.",
        discussion: """
            A file of one block (up to 1 MiB) is named by its SHA-256 digest, as a market's entries are.

              parley content name weights.safetensors
            """)

    @Argument(help: "The file.", completion: .file()) var file: String

    func run() throws {
        let handle = try ContentPlace.reading(file)
        var importer = UnixFSImporter()
        while let piece = try handle.read(upToCount: 1 << 20), !piece.isEmpty {
            importer.append([UInt8](piece)) { _ in }
        }
        Terminal.output.line("\(importer.finish { _ in }.root)")
    }
}

struct ContentServeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve", abstract: "Give what is published to any IPFS client, until Ctrl-C.",
        discussion: """
            A trustless gateway: blocks and archives, never files put together, so that nobody has to believe what it sends. It fetches nothing from elsewhere.

              parley content serve ./content
              parley content serve ./content --host 0.0.0.0 --port 443 --tls-certificate chain.pem --tls-key key.pem
            """)

    @Argument(help: "The folder of what is published.", completion: .directory) var folder: String
    @Option(help: "The address to listen on.") var host = "127.0.0.1"
    @Option(parsing: .unconditional, help: "The port; 0 takes a free one.") var port = 8960
    @Option(help: ArgumentHelp("The certificate chain (PEM).", valueName: "file"), completion: .file())
    var tlsCertificate: String?
    @Option(help: ArgumentHelp("Its private key (PEM).", valueName: "file"), completion: .file())
    var tlsKey: String?
    @Flag(help: "A proxy on this machine ends TLS in front of us.") var behindProxy = false

    func validate() throws {
        if (tlsCertificate == nil) != (tlsKey == nil) {
            throw ValidationError("--tls-certificate and --tls-key come together.")
        }
        guard (0...65_535).contains(port) else { throw ValidationError("A port is a number from 0 to 65535.") }
    }

    func run() async throws {
        let store = try ContentPlace.open(folder)
        var certificate: DatasiteServerConfiguration.Certificate?
        if let tlsCertificate, let tlsKey {
            certificate = DatasiteServerConfiguration.Certificate(chainFile: tlsCertificate, keyFile: tlsKey)
        }
        let configuration = DatasiteServerConfiguration(
            host: host, port: port, certificate: certificate, isBehindProxy: behindProxy,
            logger: Logger(label: "content") { _ in SwiftLogNoOpLogHandler() })
        let (host, scheme) = (host, certificate == nil ? "http" : "https")
        try await serveContent(configuration, store: store) { port in
            let shown = host.contains(":") ? "[\(host)]" : host
            Terminal.output.line("Content on \(scheme)://\(shown):\(port)/ipfs/")
        }
    }
}
