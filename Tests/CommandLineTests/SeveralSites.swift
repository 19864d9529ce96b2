import Foundation
import Testing

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// Three servers whose owners let each other's sites take part.
enum SeveralSites {
    static let names = ["north", "river", "summit"]

    private static func manifest(
        _ keys: [String], _ port: Int, amount: Int, questions: String, withImages: Bool = false
    ) -> String {
        """
        name: visits
        title: Visits
        description: Made up
        population: people
        unit: {column: person, rows: 3, groups: 3}
        capacity: {rows: 300, units: 100}
        policy:
          loss: renyi
          delta: 1e-5
          total: {epsilon: 20}
          engines:
            questions: {}
            federated-training: {sites: [\(keys.joined(separator: ", "))], coordinators: ["http://127.0.0.1:\(port)"], aggregation: [masked, distributed-noise], uses: 50}
            federated-questions: {sites: [\(keys.joined(separator: ", "))], coordinators: ["http://127.0.0.1:\(port)"]\(questions)}
            set-intersection: {sites: [\(keys.joined(separator: ", "))], coordinators: ["http://127.0.0.1:\(port)"], columns: [person, amount], output: identifiers, recipients: [here, there], capacity: 100, uses: 3, approval: automatic}
            joint-computation: {sites: [\(keys.joined(separator: ", "))], coordinators: ["http://127.0.0.1:\(port)"], analyses: [linear-regression, logistic-regression, joined-statistics], columns: [amount, ill], result: exact, uses: 3, approval: automatic}
        columns:
          - {name: person, type: integer, nullable: false}
          - {name: amount, type: integer, bounds: [0, \(amount)], nullable: false}
          - {name: ill, type: integer, domain: [0, 1], nullable: false}
        """
            + (withImages
                ? """

                  - {name: brightness, mean-of: image}
                  - {name: contrast, deviation-of: image}
                arrays:
                  - {name: image, shape: [1, 2, 2], type: uint8}
                """ : "")
    }

    /// A NumPy file of an image a row, each in two shades: 50 above and below the row's own, from 60 to 139.
    private static var images: Data {
        let header = "{'descr': '|u1', 'fortran_order': False, 'shape': (80, 2, 2), }\n"
        var file: [UInt8] = [0x93]
        file += Array("NUMPY".utf8)
        file += [1, 0, UInt8(header.utf8.count), 0]
        file += Array(header.utf8)
        for shade in UInt8(60)..<140 { file += [shade - 50, shade + 50, shade - 50, shade + 50] }
        return Data(file)
    }

    /// Of the rows whose amount is above 50 the label is 1.
    private static func rows(_ place: Int) -> String {
        "person,amount,ill\n"
            + (0..<80).map { "\($0),\(($0 * 37 + place) % 100),\(($0 * 37 + place) % 100 > 50 ? 1 : 0)\n" }.joined()
    }

    static func serve(
        _ place: Workplace, port: Int, amounts: [Int] = [100, 100, 100], questions: [String] = ["", "", ""],
        withImages: Bool = false
    ) throws -> [Workplace.Server] {
        let keys = try Self.names.map { name in
            #expect(try place.parley("site", "init", name).status == 0)
            let key = try place.parley("site", "key", "--site", name)
            #expect(key.status == 0 && key.output.count == 45)
            return key.output.trimmingCharacters(in: .whitespacesAndNewlines)
        }
        return try Self.names.enumerated().map { number, name in
            try place.write(Self.rows(number), to: "\(name).csv")
            try place.write(
                manifest(
                    keys, port, amount: amounts[number], questions: questions[number],
                    withImages: withImages), to: "\(name).yaml")
            if withImages { try images.write(to: URL(fileURLWithPath: place.path("images.npy"))) }
            let added = try place.run(
                [
                    Workplace.executable, "data", "add", "\(name).csv", "--manifest", "\(name).yaml", "--site", name,
                    "--yes",
                ]
                    + (withImages ? ["--array", "image=images.npy"] : []))
            #expect(added.status == 0, "\(added.errors)")
            try place.write(
                try place.parley("user", "add", "ruth", "--role", "researcher", "--site", name).output,
                to: "\(name).token")
            let server = try place.serve(site: name)
            #expect(try place.parley("login", server.url, "--token-file", "\(name).token").status == 0)
            return server
        }
    }

    /// A port on which nothing listens now.
    static func freePort() -> Int {
        let socket = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(socket) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        return withUnsafeMutablePointer(to: &address) { address in
            address.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                guard bind(socket, address, size) == 0, getsockname(socket, address, &size) == 0 else { return 28_900 }
                return Int(
                    address.withMemoryRebound(to: sockaddr_in.self, capacity: 1) {
                        UInt16(bigEndian: $0.pointee.sin_port)
                    })
            }
        }
    }
}
