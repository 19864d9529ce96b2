public import Crypto
public import Foundation

/// A device's message on its way to the coordinator: its bytes, and who says so.
///
/// 4 bytes "PDM1", 16 of the run, 32 of the device's Ed25519 key, 8 of a number, 64 of the enroller's signature on the key (zeros where nobody enrols devices), 64 of the device's
/// signature (RFC 8032), and the message as JSON; numbers are little-endian. The device's signature is over a label, all that stands before it, and SHA-256 of the message.
///
/// **Threat model.** Whoever does not hold a device's key says nothing in its name. Where the plan names an enroller, only keys that it signed take part: whoever
/// enrols decides how many devices somebody has, and keeps that apart from the coordinator. A copy of a frame does what the frame did, nothing (the coordinator's answers
/// follow from its state), and its reply goes to a number that the copier did not choose. What others may read is for the connection to hide (TLS).
public struct SignedDeviceMessage: Sendable, Hashable {
    /// 16 bytes that name the run.
    public let run: Data
    /// Who sends it.
    public let device: DeviceKey
    /// Drawn for each message: the reply is bound to it.
    public let number: UInt64
    /// A ``DeviceMessage`` as JSON.
    public let message: Data
    private let certificate: Data
    private let signature: Data

    private static let magic = Data("PDM1".utf8)
    private static let head = 4 + 16 + 32 + 8 + 64

    /// Signs a message.
    ///
    /// - Parameter certificate: The enroller's signature on the device's key; nil: nobody enrols devices.
    /// - Throws: `message`: the certificate is not 64 bytes.
    public init(
        _ message: DeviceMessage, run: Data, number: UInt64, key: Curve25519.Signing.PrivateKey,
        certificate: Data? = nil
    ) throws {
        guard let device = DeviceKey(key.publicKey.rawRepresentation), certificate?.count ?? 64 == 64 else {
            throw FrameError.message
        }
        (self.run, self.device, self.number) = (run, device, number)
        self.message = try JSONEncoder().encode(message)
        self.certificate = certificate ?? Data(count: 64)
        let head = Self.head(run: run, device: device, number: number, certificate: self.certificate)
        signature = try key.signature(for: Self.signed(head, self.message))
    }

    /// Reads a frame; who it is from is not known before ``verified(enroller:)``.
    ///
    /// - Throws: `frame`.
    public init(reading frame: Data) throws(FrameError) {
        let frame = Data(frame)
        guard frame.count > Self.head + 64, frame.prefix(4) == Self.magic,
            let device = DeviceKey(frame.subdata(in: 20..<52))
        else { throw .frame(expected: "a device's signed message, which begins with PDM1") }
        run = frame.subdata(in: 4..<20)
        self.device = device
        number = frame.littleEndian(at: 52, as: UInt64.self)
        certificate = frame.subdata(in: 60..<Self.head)
        signature = frame.subdata(in: Self.head..<Self.head + 64)
        message = frame.subdata(in: Self.head + 64..<frame.count)
    }

    /// The frame.
    public var bytes: Data {
        Self.head(run: run, device: device, number: number, certificate: certificate) + signature + message
    }

    /// The message, if its device signed it, and the enroller the device's key.
    ///
    /// - Parameter enroller: Its Ed25519 public key; nil: any device takes part.
    /// - Throws: `sender`, `message`.
    public func verified(enroller: Data?) throws(FrameError) -> DeviceMessage {
        let head = Self.head(run: run, device: device, number: number, certificate: certificate)
        guard let key = try? Curve25519.Signing.PublicKey(rawRepresentation: device.bytes),
            key.isValidSignature(signature, for: Self.signed(head, message))
        else { throw .sender }
        if let enroller, !Self.isEnrolled(device, certificate: certificate, by: enroller) { throw .sender }
        guard let message = try? JSONDecoder().decode(DeviceMessage.self, from: message) else { throw .message }
        return message
    }

    /// What an enroller signs, once it knows whose device it is.
    ///
    /// - Returns: 64 bytes.
    public static func certificate(for device: DeviceKey, by enroller: Curve25519.Signing.PrivateKey) throws -> Data {
        try enroller.signature(for: enrolment(device))
    }

    /// Whether an enroller signed a device's key.
    static func isEnrolled(_ device: DeviceKey, certificate: Data, by enroller: Data) -> Bool {
        let enrolling = try? Curve25519.Signing.PublicKey(rawRepresentation: enroller)
        return enrolling?.isValidSignature(certificate, for: enrolment(device)) ?? false
    }

    private static func enrolment(_ device: DeviceKey) -> Data {
        Data("parley device enrolment 1\n".utf8) + device.bytes
    }

    private static func head(run: Data, device: DeviceKey, number: UInt64, certificate: Data) -> Data {
        magic + run + device.bytes + Data(littleEndian: number) + certificate
    }

    private static func signed(_ head: Data, _ message: Data) -> Data {
        Data("parley device message 1\n".utf8) + head + Data(SHA256.hash(data: message))
    }
}

/// A coordinator's reply on its way to one device, to one message of its.
///
/// 4 bytes "PDR1", 64 of the coordinator's Ed25519 signature, and the reply as JSON. The signature is over a label, run, device and number of the message that it
/// answers, and SHA-256 of the reply.
public struct SignedDeviceReply: Sendable, Hashable {
    /// The frame.
    public let bytes: Data

    private static let magic = Data("PDR1".utf8)

    /// A reply's JSON, for ``init(encoded:to:key:)``.
    public static func encoded(_ reply: DeviceReply) throws -> Data { try JSONEncoder().encode(reply) }

    /// Signs a reply.
    public init(_ reply: DeviceReply, to message: SignedDeviceMessage, key: Curve25519.Signing.PrivateKey) throws {
        try self.init(encoded: Self.encoded(reply), to: message, key: key)
    }

    /// Signs a reply that was written before.
    public init(encoded body: Data, to message: SignedDeviceMessage, key: Curve25519.Signing.PrivateKey) throws {
        bytes = Self.magic + (try key.signature(for: Self.signed(body, to: message))) + body
    }

    /// The reply, if the coordinator signed it for that message.
    ///
    /// - Parameter coordinator: Its Ed25519 public key.
    /// - Throws: `frame`, `sender`, `message`.
    public static func verified(
        _ frame: Data, to message: SignedDeviceMessage, coordinator: Data
    ) throws(FrameError) -> DeviceReply {
        let frame = Data(frame)
        guard frame.count > 68, frame.prefix(4) == magic else {
            throw .frame(expected: "a coordinator's signed reply, which begins with PDR1")
        }
        let (signature, body) = (frame.subdata(in: 4..<68), frame.subdata(in: 68..<frame.count))
        guard let key = try? Curve25519.Signing.PublicKey(rawRepresentation: coordinator),
            key.isValidSignature(signature, for: signed(body, to: message))
        else { throw .sender }
        guard let reply = try? JSONDecoder().decode(DeviceReply.self, from: body) else { throw .message }
        return reply
    }

    private static func signed(_ body: Data, to message: SignedDeviceMessage) -> Data {
        Data("parley device reply 1\n".utf8) + message.run + message.device.bytes + Data(littleEndian: message.number)
            + Data(SHA256.hash(data: body))
    }
}
