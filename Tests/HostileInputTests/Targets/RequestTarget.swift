import DatasiteProtocol
import Foundation

/// The bodies that clients send, and the receipts that they keep. What is read and written again is read as the same.
enum RequestTarget {
    static func violations(_ input: [UInt8]) -> [String] {
        let read = [
            reading(input, write: json) { bytes throws(JSONError) in try AskRequest(decoding: bytes) },
            reading(input, write: json) { bytes throws(JSONError) in try DecisionRequest(decoding: bytes) },
            reading(input, write: { $0.encoded }) { bytes throws(JSONError) in try Receipt(decoding: bytes) },
        ]
        return read.flatMap(\.self)
    }

    private static func json(_ message: some Encodable) -> [UInt8]? {
        (try? JSONEncoder().encode(message)).map(Array.init)
    }

    private static func reading<Message: Equatable>(
        _ input: [UInt8], write: (Message) -> [UInt8]?, as decode: ([UInt8]) throws(JSONError) -> Message
    ) -> [String] {
        do throws(JSONError) {
            let message = try decode(input)
            guard let encoded = write(message) else { return ["a message that cannot be written"] }
            return try decode(encoded) == message ? [] : ["a message that is read as another"]
        } catch {
            if error.message.isEmpty || error.description.utf8.count > 1_000 { return ["an error of no use"] }
            if let offset = error.offset, !(0...input.count).contains(offset) { return ["an error outside the text"] }
            return []
        }
    }
}
