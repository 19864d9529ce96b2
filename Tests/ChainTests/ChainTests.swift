import Secrets
import Testing

@testable import Marketplace

private func bytes(_ hex: String) -> [UInt8] {
    let digits = hex.compactMap(\.hexDigitValue)
    return stride(from: 0, to: digits.count - 1, by: 2).map { UInt8(digits[$0] << 4 | digits[$0 + 1]) }
}

private func digest(_ hex: String) throws -> Digest256 { try #require(Digest256(hex: hex)) }

@Suite("Ethereum's encodings")
struct ChainTests {
    @Test("Keccak-256: known answers of no bytes, of abc, and at lengths about the rate as PyPI's eth-utils has them")
    func keccak() throws {
        let empty = try digest("c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470")
        let abc = try digest("4e03657aea45a94fc7d47ba826c8d667c0d1e6e33a64a036ec44f58fa12d6c45")
        #expect(Keccak256.hash([]) == empty && Keccak256.hash(Array("abc".utf8)) == abc)
        for (count, hash) in [
            (135, "3c172af358851e71c45d39b53a91bb503e72de2548ea55caedbb5202f6d34bdb"),
            (136, "782165b181823a770bd1c5d6c0b5e7c5f1b53e91da289c27b3622c49fcb91402"),
            (137, "4f38ae164a67b80212ba70c0ad76dbbf3ccbe763db6722f200a29d2c0c0114e5"),
            (272, "56facb519f4cf7cd53a19495cc0cd9471b998c676fb687c01e680ae7a5180e94"),
        ] { #expect(Keccak256.hash([UInt8](repeating: 1, count: count)) == (try digest(hash)), "\(count) bytes") }
    }

    @Test("Names of functions: the ERC-20's transfer, approve and balanceOf")
    func selectors() {
        #expect(ChainClaim.selector("transfer(address,uint256)") == [0xa9, 0x05, 0x9c, 0xbb])
        #expect(ChainClaim.selector("approve(address,uint256)") == [0x09, 0x5e, 0xa7, 0xb3])
        #expect(ChainClaim.selector("balanceOf(address)") == [0x70, 0xa0, 0x82, 0x31])
    }

    @Test("RLP: the Yellow Paper's examples, both ways")
    func rlp() {
        let text = "Lorem ipsum dolor sit amet, consectetur adipisicing elit"
        let examples: [(RLP, [UInt8])] = [
            (.bytes(Array("dog".utf8)), bytes("83646f67")),
            (.list([.bytes(Array("cat".utf8)), .bytes(Array("dog".utf8))]), bytes("c88363617483646f67")),
            (.bytes([]), [0x80]), (.list([]), [0xc0]), (.bytes([0]), [0]), (.bytes([15]), [15]),
            (.bytes([4, 0]), [0x82, 4, 0]), (.number(0), [0x80]), (.number(1_024), [0x82, 4, 0]),
            (
                .list([.list([]), .list([.list([])]), .list([.list([]), .list([.list([])])])]),
                bytes("c7c0c1c0c3c0c1c0")
            ),
            (.bytes(Array(text.utf8)), [0xb8, 0x38] + Array(text.utf8)),
        ]
        for (item, encoded) in examples {
            #expect(item.encoded == encoded)
            #expect(RLP(encoded) == item)
        }
    }

    @Test(
        "RLP that is not canonical, cut, too long or too deep is not read, whatever its bytes; what is read is written the same"
    )
    func hostile() {
        let wrong = [
            "", "81", "8100", "817f", "b800", "b837" + String(repeating: "00", count: 55), "b90000", "c1", "c180 00",
            "c28100", "bfffffffffffffffff", "ffffffffffffffffff", "8080", "f800",
        ]
        for text in wrong { #expect(RLP(bytes(text)) == nil, "\(text)") }
        #expect(RLP((0..<200).reduce(RLP.list([])) { item, _ in .list([item]) }.encoded) == nil)
        var random = SeededGenerator(seed: 1)
        for _ in 0..<20_000 {
            let text = (0..<Int(random.next() % 12)).map { _ in
                random.next() % 2 == 0 ? UInt8(0xc0 + random.next() % 9) : UInt8(truncatingIfNeeded: random.next())
            }
            if let item = RLP(text) { #expect(item.encoded == text) }
        }
    }

    @Test("Addresses: EIP-55's examples, whose checksum is wrong with one letter's case changed")
    func addresses() throws {
        for text in [
            "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed", "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
            "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB", "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb",
        ] {
            let address = try #require(ChainAddress(text))
            #expect(address.description == text && ChainAddress(text.lowercased()) == address)
        }
        for wrong in [
            "0x5aaeb6053F3E94C9b9A09f33669435E7Ef1BeAed", "5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed", "0x",
            "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAeg",
        ] { #expect(ChainAddress(wrong) == nil) }
    }

    @Test("A transaction of EIP-1559: signing hash, what is sent, and its hash, as another implementation has them")
    func transaction() throws {
        let to = try #require(ChainAddress([UInt8](repeating: 0, count: 19) + [1]))
        let transaction = ChainTransaction(
            chain: 1, nonce: 0, maximumFee: 1, priorityFee: 0, gas: 21_000, to: to, value: 0, data: [])
        #expect(
            transaction.signingHash == (try digest("fbd968a856266aedf1ebff95f1bb5a0d1038a5d78147a049b15216c2ac25ad4a")))
        let signature = try #require(
            ChainSignature(
                isOdd: true, r: try digest("852308706546ccef582053e4c1ab227f89feabc64c1bfac4b841851fb4f6cc1f"),
                s: try digest("0f3672fe4d8c35cca79af193fd799805768a90569c21db54c2de210d2dfea333")))
        let sent =
            "02f862018080018252089400000000000000000000000000000000000000018080c001"
            + "a0852308706546ccef582053e4c1ab227f89feabc64c1bfac4b841851fb4f6cc1f"
            + "a00f3672fe4d8c35cca79af193fd799805768a90569c21db54c2de210d2dfea333"
        #expect(transaction.encoded(with: signature) == bytes(sent))
        #expect(
            transaction.hash(with: signature)
                == (try digest("1c128d44be88a7b97a6a5c57f86f82597c684505216aba85a1bc25cee75a553b")))
        // The other s of the same signature (EIP-2), and zeros.
        let high = try digest("f0c98d01b273ca3358650e6c028667f944244c901326c4e6fcf43d7fa2379e0e")
        let zero = try digest(String(repeating: "0", count: 64))
        #expect(ChainSignature(isOdd: false, r: signature.r, s: high) == nil)
        #expect(ChainSignature(isOdd: false, r: zero, s: signature.s) == nil)
    }

    @Test("Claims: the tree's words with the address, a path that leads to the root, and the call's bytes")
    func claims() throws {
        let payee = try #require(ChainAddress("0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"))
        let name = try #require(PartyName("olga"))
        let contract = ChainContract(chain: 0x0102, address: payee)
        #expect(contract.binding == [0x19, 0] + payee.bytes + [0, 0, 0, 0, 0, 0, 0, 0, 1, 2])
        let claims = (0..<5).map { place in
            ChainClaim(
                leaf: ClaimLeaf(
                    settlement: .sha256([1]), index: place, party: name, role: .owner, amount: Int64(100 + place),
                    salt: Salt(.sha256([UInt8(place)]))),
                payee: payee, contract: contract)
        }
        let tree = try #require(ChainClaim.tree(claims))
        for (place, claim) in claims.enumerated() {
            #expect(claim.bytes.count == 224 && Array(claim.bytes[108..<128]) == payee.bytes)
            #expect(Array(claim.bytes.prefix(32)) == contract.domain.bytes)
            let path = try #require(tree.path(of: place))
            let isRight = ClaimTree.verify(claim.bytes, path: path, root: tree.root) { Keccak256.hash($0) }
            #expect(isRight)
            #expect(!ClaimTree.verify(claim.bytes, path: path, root: tree.root))
            let call = claim.call(path: path)
            #expect(
                call.count == 4 + 32 * (8 + path.count)
                    && Array(call.prefix(4)) == ChainClaim.selector(ChainClaim.signature))
            // The offset of the path is behind seven words, its length next.
            #expect(call[4 + 7 * 32 - 1] == 224 && call[4 + 8 * 32 - 1] == UInt8(path.count))
            #expect(Array(call[4..<36]) == claim.leaf.settlement.bytes)
        }
        // As PyPI's eth-abi encodes it.
        let call = claims[2].call(path: [.sha256([9]), .sha256([8])])
        #expect(Array(call.prefix(4)) == bytes("cbc277d8"))
        #expect(
            Keccak256.hash(call) == (try digest("4c42a3a94312e5501de7853e818b4f00ae12d0c7a131c28055b7d829d2d71ad7")))
    }
}
