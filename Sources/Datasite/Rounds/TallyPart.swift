import Crypto
import DatasiteProtocol
public import Federation
import Foundation

/// A device that reports once in a tally, with its folder: the key is the one by which it trains as well (``DevicePart``), and what it says is kept before it is sent.
public final class TallyPart {
    private var device: TallyDevice
    private let lock: TrainingFolder.Lock
    private let folder: String
    private let file: String

    /// - Parameters:
    ///   - plan: The device's own copy.
    ///   - path: Where the device keeps its key and what it has said.
    ///   - certificate: The enroller's signature on its key: base64; nil: none.
    /// - Throws: A `Problem`.
    public init(_ plan: TallyPlan, path: String, certificate: String?) throws {
        let key = try DevicePart.key(at: path)
        lock = try DevicePart.lock(TrainingFolder(path: path))
        folder = path
        file = "\(path)/tally-\(hexadecimal(plan.digest.prefix(8))).json"
        var state = TallyDevice.State()
        if let known = FileManager.default.contents(atPath: file) {
            guard let decoded = try? JSONDecoder().decode(TallyDevice.State.self, from: known) else {
                throw Problem.unavailable("\(file) is damaged, or of another version")
            }
            state = decoded
        }
        let signature = try certificate.map { text in
            guard let bytes = Data(base64Encoded: text), bytes.count == 64 else {
                throw Problem.invalidRequest("the certificate: expected 64 bytes in base64")
            }
            return bytes
        }
        do throws(FederationError) {
            device = try TallyDevice(plan: plan, key: key, certificate: signature, state: state)
        } catch { throw Problem.invalidManifest("\(error)") }
    }

    /// Whether it has said something before: that is what is sent, whatever its value is now.
    public var hasReported: Bool { device.state.report != nil }

    /// Whether the leader has it.
    public var isTaken: Bool { device.state.isTaken }

    /// The report to send.
    ///
    /// - Throws: A `Problem`: the value is none of the plan's kind, or the report cannot be kept.
    public func report(_ value: TallyValue) throws -> [UInt8] {
        let report: Data
        do throws(FederationError) { report = try device.report(value) } catch {
            throw Problem.invalidRequest("\(error)")
        }
        try save()
        return Array(report)
    }

    /// Takes the leader's reply.
    ///
    /// - Returns: nil: the report is taken; or why it is not.
    public func take(_ reply: [UInt8]) throws -> TallyRefusal? {
        let refusal = try device.take(Data(reply))
        try save()
        return refusal
    }

    private func save() throws {
        try TrainingFolder.replace(file, with: Array(try JSONEncoder().encode(device.state)), in: folder)
    }
}
