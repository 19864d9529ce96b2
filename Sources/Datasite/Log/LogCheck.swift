import DatasiteProtocol
import Foundation
import Synchronization
import TransparencyLog

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

extension Datasite {
    /// Compares the log with the journal, entry by entry, and all files of its folder with what was signed.
    ///
    /// - Parameter repairing: Whether files are made anew first, from the journal.
    /// - Returns: What was found, for the owner.
    /// - Throws: A `Problem`: what is wrong.
    public func checkLog(repairing: Bool = false) throws -> [String] {
        let log = try openLog()
        do {
            var report = try log.checkSigned(repairing: repairing)
            if repairing { try log.rebuild(store) }
            let checkpoint = try log.publish(store)
            let count = try log.compare(checkpoint, with: store)
            report.insert(
                "\(count) entries of the log follow from the journal, and lead to the root that was signed", at: 0)
            if let cosigned = try log.checkpoint(log.folder.cosigned) {
                do { try log.check(cosigned, against: checkpoint) } catch is SiteLog.WentBack {
                    throw try lost(cosigned, of: log)
                }
            }
            report += try checkContradiction(log, against: checkpoint)
            report += try log.folder.checkFiles(size: checkpoint.head.size, repairing: repairing)
            return report
        } catch is SiteLog.WentBack {
            throw try lost(log.latest(), of: log)
        } catch { throw Problem.storage(SiteLog.damaged(error)) }
    }

    /// The journal does not lead to what was signed.
    private func lost(_ signed: SignedCheckpoint?, of log: SiteLog) throws -> Problem {
        // What a counter that was not put back knows to be lost is charged by accepting that: a contradiction noted before would have all charged.
        if isRestored.withLock({ $0 }) { return Restore.problem }
        return try contradicted(by: signed?.bytes ?? [], in: log)
    }

    /// What was taken for evidence is none where the journal leads to it after all.
    private func checkContradiction(_ log: SiteLog, against checkpoint: SignedCheckpoint) throws -> [String] {
        let file = log.folder.contradiction
        guard let bytes = FileManager.default.contents(atPath: file) else { return [] }
        guard let told = try? SignedCheckpoint(parsing: Array(bytes)),
            let number = SiteLog.number(of: told, by: signingKey)
        else { return ["the site stands still for \(file), which is damaged: nobody can tell what it was"] }
        let isLed = number == log.number && (try? log.check(told, against: checkpoint)) != nil
        guard number < log.number || isLed else {
            return [
                "the site stands still: \(file) is a checkpoint of \(told.head.size) entries under its own key, to which the journal does not lead"
            ]
        }
        unlink(file)
        try SiteFolder.synchronize(log.folder.path)
        isContradicted.withLock { $0 = false }
        return []
    }
}

extension SiteLog {
    /// Whether the checkpoints in the folder are under this site's key. What is not is no signature of the site's, and can be taken away.
    ///
    /// - Returns: What is made anew.
    /// - Throws: A `Problem`: one is not, and is not to be repaired.
    fileprivate func checkSigned(repairing: Bool) throws -> [String] {
        var repaired: [String] = []
        if FileManager.default.fileExists(atPath: folder.head),
            !FileManager.default.fileExists(atPath: folder.checkpoint)
        {
            repaired.append("\(folder.checkpoint) was missing, and is signed anew")
        }
        for file in [folder.checkpoint, folder.cosigned] where FileManager.default.fileExists(atPath: file) {
            do {
                guard let signed = try checkpoint(file) else { throw Problem.unavailable("\(file) cannot be read") }
                do { try signed.verify(identity) } catch {
                    throw Problem.unavailable(
                        "\(file) is not a checkpoint that this site signed: \(error)", hint: LogFolder.repairing)
                }
            } catch {
                guard repairing else { throw error }
                unlink(file)
                try SiteFolder.synchronize(folder.path)
                repaired.append(
                    "\(file) was damaged and is gone: it does not say any more what the site had signed last, witnesses and monitors still know it"
                )
            }
        }
        return repaired
    }
}

extension LogFolder {
    private var files: Set<String> {
        Set(
            [checkpoint, cosigned, head, index, origin, contradiction, witnesses].map {
                String($0.dropFirst(path.count + 1))
            })
    }

    /// Looks at each file of the folder of a log of this size.
    ///
    /// - Returns: Those that are none of the log's, which are left alone, and those that nobody needs any more.
    fileprivate func checkFiles(size: UInt64, repairing: Bool) throws -> [String] {
        guard let all = FileManager.default.enumerator(atPath: path) else {
            throw Problem.unavailable("\(path) cannot be read: \(SiteFolder.reason())")
        }
        var (unknown, leftOver) = ([String](), [String]())
        for case let name as String in all {
            let type = all.fileAttributes?[.type] as? FileAttributeType
            guard type != .typeDirectory, !files.contains(name) else { continue }
            let tile = try? TilePath(name)
            // A write that a crash cut short leaves its beginning beside the file.
            let isPart =
                name.hasSuffix(".partial") && (files.contains(String(name.dropLast(8))) || name.hasPrefix("tile/"))
            if type == .typeRegular, let tile {
                let present = try? TilePath(tile.content, index: tile.index, ofTreeWithSize: size)
                if present != tile { leftOver.append(name) }
            } else if type == .typeRegular, isPart {
                leftOver.append(name)
            } else {
                unknown.append(name)
            }
        }
        var report: [String] = []
        if !unknown.isEmpty {
            report.append("none of the log's files, and left alone: \(Self.list(unknown)) in \(path)")
        }
        if !leftOver.isEmpty, repairing {
            for name in leftOver { unlink("\(path)/\(name)") }
        } else if !leftOver.isEmpty {
            report.append(
                "of smaller logs, or of writes that were cut short, and needed by nobody (--repair removes them): \(Self.list(leftOver))"
            )
        }
        return report
    }

    private static func list(_ names: [String]) -> String {
        let shown = names.sorted().prefix(10).joined(separator: ", ")
        return names.count > 10 ? "\(shown) and \(names.count - 10) more" : shown
    }
}
