import Marketplace
import Secrets
import Testing

@testable import ChainRail

@Suite("Keys and signatures of a chain")
struct KeyTests {
    @Test(
        "Addresses of well-known test keys: EIP-155's, 1, and those that libraries ship, as PyPI's eth-account has them"
    )
    func addresses() throws {
        for (secret, address) in [
            (String(repeating: "46", count: 32), "0x9d8A62f656a8d1615C1294fd71e9CFb3E4855A4F"),
            (String(repeating: "00", count: 31) + "01", "0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf"),
            (Known.secret, "0x2c7536E3605D9C16a7a3D7b1898e529396a65c23"),
            (
                "ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80",
                "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"
            ),
        ] { #expect(try key(secret).address.description == address) }
    }

    @Test("No key is zero, the group's order or more, or of another length")
    func wrongKeys() throws {
        let order = "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141"
        for secret in [String(repeating: "0", count: 64), order, String(repeating: "f", count: 64), "01", ""] {
            #expect(ChainKey(secret: try bytes(secret)) == nil, "\(secret)")
        }
        #expect(ChainKey(secret: try bytes(order.dropLast() + "0")) != nil)
    }

    @Test("Nonces are RFC 6979's: EIP-155's example, and key 1 over a text's SHA-256 as other implementations have it")
    func deterministic() throws {
        let example = try key(String(repeating: "46", count: 32)).sign(
            digest("daf5a779ae972f972197303d7b574746c7ef83eadac0f2791ad23db92e4c8e53"))
        #expect(example.r.hex == "28ef61340bd939bc2195fe537567866003e1a15d3c71ff63e1590620aa636276")
        #expect(example.s.hex == "67cbe9d8997f761aecb703304b3800ccf555c9f3dc64214b297fb1966a3b6d83")
        #expect(!example.isOdd)
        let text = try key(String(repeating: "00", count: 31) + "01").sign(.sha256(Array("Satoshi Nakamoto".utf8)))
        #expect(text.r.hex == "934b1ea10a4b3c1757e2b0c017d0b6143ce3c9a7e6a4a49860d7a6ab210ee3d8")
        #expect(text.s.hex == "2442ce9d2b916064108014783e923ec36b49743e2ffa1c4496f01a512aafd9e5")
    }

    @Test("Transactions of EIP-1559, signed: the bytes and the hash that eth-account gives")
    func transactions() throws {
        let key = try key(Known.secret)
        for (transaction, sent, hash) in try Known.transactions() {
            let signature = try key.sign(transaction.signingHash)
            #expect(transaction.encoded(with: signature) == (try bytes(sent)))
            #expect(transaction.hash(with: signature).hex == hash)
        }
    }

    @Test("A decision's hash and signature: eth-account's, by EIP-191's version 0")
    func decision() throws {
        let contract = ChainContract(chain: 0x0102, address: try Known.address())
        let decision = EscrowDecision(
            contract: contract, before: Escrow.nothing, closes: 1_000,
            root: try digest(String(repeating: "07", count: 32)))
        #expect(decision.hash.hex == "5ff215817426a51605f3ed9887f982a7199a36a04be76280485157b057d9e005")
        let signature = try key(Known.secret).sign(decision.hash)
        #expect(signature.r.hex == "bc7191f7e18b51b405fdb1ddf4153c16af76b3bf6a0735f15db89008e92b1ee7")
        #expect(signature.s.hex == "195da29ec275cbd1dd7705079a7d8e5a8424704eb83821850a7c67c4b90d3ee1")
        #expect(signature.isOdd)
    }

    @Test("Who signed is recovered, and is somebody else for another hash, or the other parity")
    func recovery() throws {
        var random = SeededGenerator(seed: 7)
        for _ in 0..<200 {
            let key = try #require(ChainKey(secret: (0..<32).map { _ in UInt8(truncatingIfNeeded: random.next()) }))
            let hash = Digest256.sha256([UInt8(truncatingIfNeeded: random.next())])
            let signature = try key.sign(hash)
            #expect(signature.signer(of: hash) == key.address)
            #expect(signature.signer(of: .sha256(hash.bytes)) != key.address)
            let other = try #require(ChainSignature(isOdd: !signature.isOdd, r: signature.r, s: signature.s))
            #expect(other.signer(of: hash) != key.address)
        }
        // No point has this x coordinate.
        let none = try #require(
            ChainSignature(isOdd: false, r: digest(String(repeating: "0", count: 63) + "5"), s: Known.one()))
        #expect(none.signer(of: try Known.one()) == nil)
    }

    @Test("A key is never printed, and a fresh one is another each time")
    func secrecy() throws {
        let (key, secret) = ChainKey.fresh()
        #expect(ChainKey(secret: secret)?.address == key.address && ChainKey.fresh().key.address != key.address)
        let desk = ChainDesk(key: key, chain: 1)
        var dumped = ""
        dump(desk, to: &dumped)
        for text in ["\(key)", String(reflecting: key), dumped, "\(desk)"] {
            #expect(text.contains(key.address.description))
            #expect(!text.contains("secret") && !text.contains("\(secret[0]), \(secret[1])"))
        }
    }

    @Test("Contracts' addresses by their maker and number, as PyPI's rlp and eth-utils have them")
    func contracts() throws {
        let maker = try #require(ChainAddress("0x6ac7ea33f8831ea9dcc53393aaa88b25a785dbf0"))
        for (nonce, address) in [
            "0xcd234a471b72ba2f1ccf0a70fcaba648a5eecd8d", "0x343c43a37d37dff08ae8c4a11544c718abb4fcf8",
            "0xf778b86fa74e846c4f0a1fbd1335fe81c00a0c91", "0xfffd933a0bc612844eaf0c6fe3e5b8e9b6c1d19c",
        ].enumerated() { #expect(Escrow.address(createdBy: maker, nonce: UInt64(nonce)) == ChainAddress(address)) }
    }
}

private enum Known {
    static let secret = "4c0883a69102937d6231471b5dbb6204fe5129617082792ae468d01a3f362318"

    static func one() throws -> Digest256 { try digest(String(repeating: "0", count: 63) + "1") }

    static func address() throws -> ChainAddress {
        try #require(ChainAddress("0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"))
    }

    static func transactions() throws -> [(ChainTransaction, sent: String, hash: String)] {
        let to = try #require(ChainAddress("0x09616C3d61b3331fc4109a9E41a8BDB7d9776609"))
        return [
            (
                ChainTransaction(
                    chain: 1, nonce: 0, maximumFee: 2_000_000_000, priorityFee: 1_000_000_000, gas: 21_000, to: to,
                    value: 1_000_000_000_000_000_000, data: []),
                "02f8720180843b9aca0084773594008252089409616c3d61b3331fc4109a9e41a8bdb7d9776609880de0b6b3a7640000"
                    + "80c080a062c28f74a692c10de34abe4291d9acaae33cbb32ae117bd5b865148ead28635fa043eb64f230aac72370a433"
                    + "af28c67e337e1334423d48911e3ea3273249c9f5fe",
                "e3f9286bff8a36eed388a6503a690eab3717b77ff92f5e3239e53c8d6066c797"
            ),
            (
                ChainTransaction(
                    chain: 11_155_111, nonce: 300, maximumFee: 1 << 63, priorityFee: 1, gas: 1_500_000, to: nil,
                    value: 0,
                    data: [UInt8](repeating: 0x60, count: 300)),
                "02f9018a83aa36a782012c018880000000000000008316e3608080b9012c" + String(repeating: "60", count: 300)
                    + "c001a0780dcb2621350dc1349e6d5cd21706511beda36533333f6f8eae810a5e040858a023f1384f0bc75747ee41b4c3"
                    + "1c7daa83634d222099ece37ccd29d5de1ef61b4b",
                "081b1628c332e7f7129f5df4dc7e9ddb5153c096b3328419253c5e273df9a384"
            ),
            (
                ChainTransaction(
                    chain: 1 << 63, nonce: 1 << 40, maximumFee: 200, priorityFee: 0, gas: 250_000, to: try address(),
                    value: 0, data: [0xcb, 0xc2, 0x77, 0xd8] + [UInt8](repeating: 0, count: 64)),
                "02f8b7888000000000000000860100000000008081c88303d090945aaeb6053f3e94c9b9a09f33669435e7ef1beaed80"
                    + "b844cbc277d8000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
                    + "00000000000000000000000000000000000000000000c001a0d52574e9b3f1fa5d10ef2f93fe4498fcc4955b84073971"
                    + "e44103cc6921f93344a0393c27a721f351d07127a8dc93da95fecb94bbaabc9ef0e22ce4e6e85666f084",
                "b6be35491d7e3613086ebe94c1e9d73018a3beeede6235fc44747e7300115fe9"
            ),
        ]
    }
}
