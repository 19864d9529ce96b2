internal import Crypto
internal import Foundation
internal import MultipartyComputation

/// A device's report on its way: what it is split into, and who says so.
///
/// 4 bytes "PTR1", 32 of the task, 32 of the device's Ed25519 key, 64 of the enroller's signature on the key (zeros where nobody enrols devices), 16 of the nonce, 64 of the device's signature, three lengths of 4 bytes, and as many
/// bytes of the public share, of what is encrypted for the leader, and of what is encrypted for the helper; numbers are little-endian. As the leader sends it on it begins with "PTH1", and SHA-256 of what is encrypted for the leader stands in its place.
///
/// **Threat model.** Each input share is encrypted for its aggregator, with task, device, nonce and public share authenticated: whoever ends TLS in front of an aggregator reads no share, and what was copied from one report opens in no other. The device's signature is over
/// all of it, so that also the helper knows whose report it is, whatever the leader says.
struct TallyReport: Sendable, Hashable {
    /// What is encrypted for the leader, or its digest.
    enum LeaderPart: Sendable, Hashable {
        case sealed(TallySealed)
        case digest(Data)

        var digest: Data {
            switch self {
            case .sealed(let sealed): Data(SHA256.hash(data: sealed.bytes))
            case .digest(let digest): digest
            }
        }
    }

    let task: Data
    let device: DeviceKey
    let certificate: Data
    let nonce: ReportNonce
    let publicShare: Data
    let leaderPart: LeaderPart
    let helperPart: TallySealed
    private let signature: Data

    private static let (magic, forHelper) = (Data("PTR1".utf8), Data("PTH1".utf8))
    private static let head = 4 + 32 + 32 + 64 + 16 + 64 + 12

    /// Splits a measurement, encrypts the shares, and signs.
    init(
        _ measurement: TallyMeasurement, _ task: TallyTask, key: Curve25519.Signing.PrivateKey, certificate: Data?
    ) throws(FederationError) {
        let made: Prio3Report
        do { made = try task.scheme.shard(measurement) } catch {
            throw .plan("this device's value", expected: "a valid one")
        }
        try self.init(made, task, key: key, certificate: certificate)
    }

    /// Encrypts the shares, and signs.
    init(
        _ made: Prio3Report, _ task: TallyTask, key: Curve25519.Signing.PrivateKey, certificate: Data?
    ) throws(FederationError) {
        guard let device = DeviceKey(key.publicKey.rawRepresentation), certificate?.count ?? 64 == 64 else {
            throw .plan("the enroller's signature", expected: "64 bytes")
        }
        (self.task, self.device, nonce) = (task.digest, device, made.nonce)
        publicShare = Data(made.publicShare)
        self.certificate = certificate ?? Data(count: 64)
        let bound = Self.bound(task.digest, device, made.nonce, publicShare: publicShare)
        func sealed(_ role: TallyRole, _ identity: TallyIdentity) throws(FederationError) -> TallySealed {
            try TallySealed(
                Data(made.inputShares[role.rawValue]), for: identity, role.input, authenticating: bound)
        }
        leaderPart = .sealed(try sealed(.leader, task.plan.leader.identity))
        helperPart = try sealed(.helper, task.plan.helper.identity)
        do { signature = try key.signature(for: Self.signed(bound, leaderPart.digest, helperPart)) } catch {
            throw .plan("the device's key", expected: "one that signs")
        }
    }

    /// Reads a frame; who it is from is not known before ``isSigned(enroller:)``.
    ///
    /// - Throws: `frame`.
    init(reading frame: Data) throws(FrameError) {
        let frame = Data(frame)
        guard frame.count >= Self.head, [Self.magic, Self.forHelper].contains(frame.prefix(4)),
            let device = DeviceKey(frame.subdata(in: 36..<68)),
            let nonce = try? ReportNonce([UInt8](frame.subdata(in: 132..<148)))
        else { throw .frame(expected: "a device's report, which begins with PTR1") }
        let lengths = (0..<3).map { Int(frame.littleEndian(at: 212 + 4 * $0, as: UInt32.self)) }
        guard frame.count == Self.head + lengths.reduce(0, +) else {
            throw .frame(expected: "a device's report of the length that it says")
        }
        var start = Self.head
        let parts = lengths.map { length in
            defer { start += length }
            return frame.subdata(in: start..<start + length)
        }
        (task, self.device, self.nonce) = (frame.subdata(in: 4..<36), device, nonce)
        (certificate, signature) = (frame.subdata(in: 68..<132), frame.subdata(in: 148..<212))
        (publicShare, helperPart) = (parts[0], TallySealed(bytes: parts[2]))
        if frame.prefix(4) == Self.magic {
            leaderPart = .sealed(TallySealed(bytes: parts[1]))
        } else {
            guard parts[1].count == 32 else { throw .frame(expected: "a digest of 32 bytes in a leader's copy") }
            leaderPart = .digest(parts[1])
        }
    }

    /// The frame.
    var bytes: Data {
        let (magic, leader) =
            switch leaderPart {
            case .sealed(let sealed): (Self.magic, sealed.bytes)
            case .digest(let digest): (Self.forHelper, digest)
            }
        var frame = magic + task + device.bytes + certificate + Data(nonce.bytes) + signature
        let parts = [publicShare, leader, helperPart.bytes]
        for part in parts { frame += Data(littleEndian: UInt32(truncatingIfNeeded: part.count)) }
        for part in parts { frame += part }
        return frame
    }

    /// As the leader sends it on.
    var forHelper: TallyReport { TallyReport(self, .digest(leaderPart.digest)) }

    /// The same report with another signature of the enroller's on its device's key: all else is what it was.
    ///
    /// - Parameter certificate: 64 bytes.
    func enrolled(by certificate: Data) -> TallyReport {
        TallyReport(self, leaderPart, certificate: certificate)
    }

    private init(_ report: TallyReport, _ leaderPart: LeaderPart, certificate: Data? = nil) {
        (task, device, nonce) = (report.task, report.device, report.nonce)
        self.certificate = certificate ?? report.certificate
        (publicShare, helperPart, signature) = (report.publicShare, report.helperPart, report.signature)
        self.leaderPart = leaderPart
    }

    /// Whether its device signed it, and the enroller the device's key.
    func isSigned(enroller: Data?) -> Bool {
        if let enroller,
            !SignedDeviceMessage.isEnrolled(device, certificate: certificate, by: enroller)
        {
            return false
        }
        guard let key = try? Curve25519.Signing.PublicKey(rawRepresentation: device.bytes) else { return false }
        return key.isValidSignature(signature, for: Self.signed(bound, leaderPart.digest, helperPart))
    }

    /// What is authenticated with each encrypted share.
    var bound: Data { Self.bound(task, device, nonce, publicShare: publicShare) }

    private static func bound(
        _ task: Data, _ device: DeviceKey, _ nonce: ReportNonce, publicShare: Data
    ) -> Data {
        task + device.bytes + Data(nonce.bytes) + Data(SHA256.hash(data: publicShare))
    }

    private static func signed(_ bound: Data, _ leader: Data, _ helper: TallySealed) -> Data {
        Data("parley tally report 1\n".utf8) + bound + leader + Data(SHA256.hash(data: helper.bytes))
    }
}

extension TallyReport: CustomStringConvertible, CustomReflectable {
    /// The nonce alone.
    var description: String { "TallyReport(\(nonce))" }
    var customMirror: Mirror { Mirror(self, children: []) }
}
