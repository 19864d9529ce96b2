import Testing

@testable import ContentAddressing

/// A folder with a file of several blocks and one of one, and a block that is there and not published.
struct Site {
    static let rawType = "application/vnd.ipld.raw"
    static let carType = "application/vnd.ipld.car"

    var blocks = MemoryBlocks()
    let file: UnixFSFile
    let bytes: [UInt8]
    let note: Block
    let folder: Block

    init(_ bytes: [UInt8] = seeded(300, "site")) throws {
        self.bytes = bytes
        (file, blocks) = imported(bytes, small())
        note = try Block(Array("a note".utf8), codec: .raw)
        folder = try Block.folder([("model bytes", file.root, file.cumulativeSize), ("note.txt", note.cid, 6)])
        blocks.insert(note)
        blocks.insert(folder)
    }

    func ask(_ path: String, _ query: String = "", _ change: (inout GatewayRequest) -> Void = { _ in })
        -> GatewayAnswer<MemoryBlocks>
    {
        var request = GatewayRequest(path: path, query: query)
        change(&request)
        return TrustlessGateway(blocks).answer(request)
    }
}

extension GatewayAnswer {
    func all() throws -> [UInt8] {
        var (body, bytes) = (body, [UInt8]())
        while let piece = try body.next() { bytes += piece }
        return bytes
    }

    func car() throws -> [CID] { try read(try all()).blocks.map(\.cid) }
}

@Suite("A trustless gateway")
struct GatewayTests {
    @Test("A block is answered with what the specification says, by format and by Accept")
    func raw() throws {
        let site = try Site()
        let root = site.file.root
        let answers = [
            site.ask("/ipfs/\(root)", "format=raw"),
            site.ask("/ipfs/\(root)/", "format=raw&other=1") { $0.accept = "text/html" },
            site.ask("/ipfs/\(root)") { $0.accept = Site.rawType },
            site.ask("/ipfs/\(root)") { $0.accept = "text/html, \(Site.rawType);q=0.2" },
        ]
        for (index, answer) in answers.enumerated() {
            let bytes = try answer.all()
            #expect(answer.status == 200 && CID.of(bytes, codec: .dagPB) == root)
            #expect(answer["content-type"] == Site.rawType && answer["content-length"] == "\(bytes.count)")
            #expect(answer["etag"] == "\"\(root).raw\"" && answer["x-content-type-options"] == "nosniff")
            #expect(answer["cache-control"] == "public, max-age=29030400, immutable")
            #expect(answer["content-disposition"] == "attachment; filename=\"\(root).bin\"")
            #expect(answer["content-location"] == (index < 2 ? nil : "/ipfs/\(root)?format=raw"))
            #expect(Set(answer.headers.map { $0.name.lowercased() }).count == answer.headers.count)
        }
        let head = site.ask("/ipfs/\(root)", "format=raw") { $0.method = "HEAD" }
        #expect(try head.all().isEmpty && head.status == 200)
        #expect(
            head.headers.map(\.name) == answers[0].headers.map(\.name)
                && head["content-length"] == answers[0]["content-length"])
        // The same block by the other version of its CID.
        let v0 = CID(.v0, .dagPB, root.digest)
        #expect(try site.ask("/ipfs/\(v0)", "format=raw").all() == answers[0].all())
    }

    @Test("What is not published, is no CID, or is asked for otherwise is refused with a status and words")
    func refused() throws {
        let site = try Site()
        let (root, other) = (site.file.root, CID.of([7], codec: .raw))
        let cases: [(Int, String, String, (inout GatewayRequest) -> Void)] = [
            (404, "/ipfs/\(other)", "format=raw", { _ in }), (404, "/ipfs/\(other)", "format=car", { _ in }),
            (404, "/ipfs/\(other)", "format=car", { $0.method = "HEAD" }),
            (412, "/ipfs/\(other)", "format=raw", { $0.cacheControl = "only-if-cached" }),
            (400, "/ipfs/nonsense", "format=raw", { _ in }), (400, "/ipfs/\(root)x", "format=raw", { _ in }),
            (404, "/ipfs/", "format=raw", { _ in }), (404, "/ipns/\(root)", "format=raw", { _ in }),
            (404, "/", "", { _ in }),
            (404, "ipfs/\(root)", "format=raw", { _ in }), (400, "/ipfs/\(root)", "", { _ in }),
            (400, "/ipfs/\(root)", "", { $0.accept = "*/*" }),
            (406, "/ipfs/\(root)", "", { $0.accept = "text/html, */*" }),
            (406, "/ipfs/\(root)", "", { $0.accept = "\(Site.rawType);q=0" }),
            (406, "/ipfs/\(root)", "format=tar", { _ in }),
            (406, "/ipfs/\(root)", "format=dag-json", { _ in }),
            (400, "/ipfs/\(root)", "format=raw&format=car", { _ in }),
            (400, "/ipfs/\(root)", "format", { _ in }), (400, "/ipfs/\(root)", "format=%zz", { _ in }),
            (405, "/ipfs/\(root)", "format=raw", { $0.method = "POST" }),
            (405, "/ipfs/\(root)", "format=raw", { $0.method = "get" }),
            (400, "/ipfs/\(root)", "format=raw", { $0.serviceWorker = "script" }),
            (400, "/ipfs/\(root)/a", "format=raw", { _ in }),
            (406, "/ipfs/\(root)", "format=car&car-version=2", { _ in }),
            (406, "/ipfs/\(root)", "format=car&car-order=bfs", { _ in }),
            (406, "/ipfs/\(root)", "format=car&car-dups=maybe", { _ in }),
            (406, "/ipfs/\(root)", "", { $0.accept = "\(Site.carType);version=2" }),
            (400, "/ipfs/\(root)", "format=car&dag-scope=some", { _ in }),
            (400, "/ipfs/\(root)", "format=car&entity-bytes=5", { _ in }),
            (400, "/ipfs/\(root)", "format=car&entity-bytes=+5:9", { _ in }),
            (400, "/ipfs/\(root)", "format=car&entity-bytes=*:9", { _ in }),
            (400, "/ipfs/\(root)", "format=car&entity-bytes=300:*", { _ in }),
            (400, "/ipfs/\(root)", "format=car&entity-bytes=0:99999999999999999999", { _ in }),
            (400, "/ipfs/\(root)", "format=car&dag-scope=all&entity-bytes=0:9", { _ in }),
            (404, "/ipfs/\(root)/a", "format=car", { _ in }),
            (404, "/ipfs/\(site.folder.cid)/a", "format=car", { _ in }),
            (400, "/ipfs/\(site.folder.cid)/%FF", "format=car", { _ in }),
            (400, "/ipfs/\(site.folder.cid)//a", "format=car", { _ in }),
            (400, "/ipfs/\(site.folder.cid)" + String(repeating: "/a", count: 33), "format=car", { _ in }),
        ]
        for (status, path, query, change) in cases {
            let answer = site.ask(path, query, change)
            #expect(answer.status == status, "\(path)?\(query): \(answer.status)")
            var request = GatewayRequest(path: path)
            change(&request)
            let body = try answer.all()
            #expect(body.isEmpty == (request.method == "HEAD") && answer["cache-control"] == "no-store")
            #expect(
                answer["content-type"] == "text/plain; charset=utf-8" && answer["x-content-type-options"] == "nosniff")
        }
        #expect(site.ask("/ipfs/\(root)", "format=raw") { $0.method = "PUT" }["allow"] == "GET, HEAD")
    }

    @Test("The probe is answered, as a block and as a CAR")
    func probe() throws {
        let site = try Site()
        let raw = site.ask("/ipfs/bafkqaaa", "format=raw")
        #expect(try raw.status == 200 && raw["content-length"] == "0" && raw.all() == [])
        let car = site.ask("/ipfs/bafkqaaa") { $0.accept = Site.carType }
        let bytes = try car.all()
        #expect(car.status == 200 && car["content-length"] == "\(bytes.count)")
        #expect(
            bytes == [25, 0xA2, 0x65] + Array("roots".utf8) + [0x81, 0xD8, 0x2A, 0x45, 0, 1, 0x55, 0, 0, 0x67]
                + Array("version".utf8) + [1])
        #expect(site.ask("/ipfs/bafkqaaa", "format=raw") { $0.method = "HEAD" }.status == 200)
        #expect(site.ask("/ipfs/bafkqaaa").status == 400)
        #expect(site.ask("/ipfs/bafkqaaa/a", "format=car").status == 404)
        // Another identity CID is none of what is here.
        #expect(site.ask("/ipfs/bafyaabakaieac", "format=raw").status == 400)
    }

    @Test("A CAR has the blocks of its scope, those of the path first, and says what it is")
    func scopes() throws {
        let site = try Site()
        let (root, folder) = (site.file.root, site.folder.cid)
        var walk = GraphWalk(from: root, in: site.blocks)
        var file: [CID] = []
        while let block = try walk.next() { file.append(block.cid) }
        let all = site.ask("/ipfs/\(folder)", "format=car")
        #expect(try all.car() == [folder] + file + [site.note.cid] && all.status == 200)
        #expect(all["content-type"] == "\(Site.carType); version=1; order=dfs; dups=n")
        #expect(all["content-disposition"] == "attachment; filename=\"\(folder).car\"" && all["content-length"] == nil)
        #expect(try site.ask("/ipfs/\(folder)", "format=car&dag-scope=all").car() == all.car())
        #expect(try site.ask("/ipfs/\(folder)", "format=car&dag-scope=entity").car() == [folder])
        #expect(try site.ask("/ipfs/\(folder)", "format=car&dag-scope=block").car() == [folder])
        #expect(try site.ask("/ipfs/\(folder)", "format=car&entity-bytes=0:*").car() == [folder])
        let below = site.ask("/ipfs/\(folder)/model%20bytes", "format=car&dag-scope=entity")
        #expect(try below.car() == [folder] + file)
        #expect(below["x-ipfs-roots"] == "\(folder),\(root)" && below["x-ipfs-path"] == "/ipfs/\(folder)/model%20bytes")
        #expect(try read(below.all()).roots == [root])
        #expect(try site.ask("/ipfs/\(folder)/model%20bytes/", "format=car&dag-scope=block").car() == [folder, root])
        #expect(try site.ask("/ipfs/\(folder)/note.txt", "format=car").car() == [folder, site.note.cid])
        #expect(try site.ask("/ipfs/\(root)", "format=car&dag-scope=entity").car() == file)
        let head = site.ask("/ipfs/\(folder)", "format=car") { $0.method = "HEAD" }
        #expect(try head.all().isEmpty && head.headers.map(\.value) == all.headers.map(\.value))
    }

    @Test("entity-bytes gives exactly the blocks that the bytes need, as the specification counts them")
    func entityBytes() throws {
        let site = try Site()
        let root = site.file.root
        func blocks(_ range: ClosedRange<UInt64>?) throws -> [CID] {
            var walk = GraphWalk(from: root, in: site.blocks, scope: range.map { .bytes($0) } ?? .block)
            var cids: [CID] = []
            while let block = try walk.next() { cids.append(block.cid) }
            return cids
        }
        let cases: [(String, ClosedRange<UInt64>?)] = [
            ("0:*", 0...299), ("0:0", 0...0), ("16:31", 16...31), ("15:16", 15...16), ("299:299", 299...299),
            ("290:5000", 290...299),
            ("-1:*", 299...299), ("-10:*", 290...299), ("-5000:*", 0...299), ("-5000:3", 0...3), ("0:-1", 0...299),
            ("0:-300", 0...0),
            ("100:-150", 100...150), ("-9223372036854775808:9223372036854775807", 0...299), ("9:3", nil),
            ("0:-301", nil), ("200:-150", nil),
        ]
        for (text, range) in cases {
            let answer = site.ask("/ipfs/\(root)", "format=car&entity-bytes=\(text)")
            #expect(try answer.status == 200 && answer.car() == blocks(range), "\(text)")
        }
        #expect(site.ask("/ipfs/\(root)", "format=car&entity-bytes=300:400").status == 400)
        #expect(site.ask("/ipfs/\(root)", "format=car&entity-bytes=-400:-350").status == 400)
        // One block, and none at all.
        #expect(try site.ask("/ipfs/\(site.note.cid)", "format=car&entity-bytes=2:3").car() == [site.note.cid])
        #expect(site.ask("/ipfs/\(site.note.cid)", "format=car&entity-bytes=6:*").status == 400)
        let empty = imported([], small())
        let answer = TrustlessGateway(empty.blocks).answer(
            .init(path: "/ipfs/\(empty.file.root)", query: "format=car&entity-bytes=0:*"))
        #expect(try answer.car() == [empty.file.root])
    }

    @Test("Blocks that occur twice come once, or each time where that is asked for")
    func duplicates() throws {
        let site = try Site([UInt8](repeating: 5, count: 300))
        let root = site.file.root
        let once = site.ask("/ipfs/\(root)", "format=car")
        #expect(try Set(once.car()).count == once.car().count)
        for (query, accept) in [
            ("format=car&car-dups=y", nil), ("", "\(Site.carType); order=dfs; dups=y"),
            ("car-dups=y", "\(Site.carType); dups=n"),
        ] {
            let twice = site.ask("/ipfs/\(root)", query) { $0.accept = accept }
            let leaves = try twice.car().filter { $0.codec == .raw }
            #expect(leaves.count == 19 && twice["content-type"] == "\(Site.carType); version=1; order=dfs; dups=y")
            #expect(twice["etag"] != once["etag"])
        }
        // What cannot be had is passed over for what can.
        let chosen = site.ask("/ipfs/\(root)") {
            $0.accept = "\(Site.carType);order=foo, \(Site.carType);order=dfs;dups=y;q=0.5, \(Site.rawType);q=0.1"
        }
        #expect(chosen["content-type"] == "\(Site.carType); version=1; order=dfs; dups=y")
        #expect(chosen["content-location"] == "/ipfs/\(root)?format=car&car-version=1&car-order=dfs&car-dups=y")
    }

    @Test(
        "Blocks that repeat beyond a multiple are not sent again and again: it is refused, and how to have them is said"
    )
    func repetition() throws {
        // 32 nodes of two links to the next: 2^31 ways to one block.
        var blocks = MemoryBlocks()
        var below = try Block([1], codec: .raw)
        blocks.insert(below)
        var roots: [CID] = []
        for _ in 0..<31 {
            below = try Block.folder([("a", below.cid, 1), ("b", below.cid, 1)])
            blocks.insert(below)
            roots.append(below.cid)
        }
        func ask(_ root: CID, _ query: String) -> GatewayAnswer<MemoryBlocks> {
            TrustlessGateway(blocks).answer(.init(path: "/ipfs/\(root)", query: query))
        }
        let refused = ask(below.cid, "format=car&car-dups=y")
        #expect(refused.status == 406 && ask(below.cid, "format=car&car-dups=y&dag-scope=all").status == 406)
        #expect(String(decoding: try refused.all(), as: UTF8.self).hasSuffix("with dups=n each is sent once\n"))
        #expect(try ask(below.cid, "format=car&car-dups=n").car().count == 32)
        #expect(try ask(below.cid, "format=car&car-dups=y&dag-scope=entity").car() == [below.cid])
        #expect(try ask(below.cid, "format=car&car-dups=y&dag-scope=block").car() == [below.cid])
        // As many bytes as are said beforehand are sent: 3, 7 and 15 blocks of folders, and the leaves.
        for (level, root) in roots.prefix(4).enumerated() {
            let answer = ask(root, "format=car&car-dups=y")
            let sent = try read(try answer.all()).blocks
            #expect(answer.status == 200 && sent.count == 2 << (level + 1) - 1)
            let survey = try GraphSurvey(of: root, in: blocks)
            #expect(survey.repeatedBytes == sent.reduce(0) { $0 + UInt64($1.bytes.count) })
            #expect(survey.blocks.count == level + 2 && survey.bytes == survey.size)
        }
        // A file of the same block over and over: up to 64 MiB whatever the multiple, and no more.
        for (count, status) in [(63, 200), (80, 406)] {
            let bytes = [UInt8](repeating: 9, count: count << 20)
            let (file, all) = imported(bytes, .v1)
            for query in ["format=car&car-dups=y", "format=car&car-dups=y&entity-bytes=0:5"] {
                let answer = TrustlessGateway(all).answer(.init(path: "/ipfs/\(file.root)", query: query))
                #expect(answer.status == status, "\(count) \(query)")
            }
        }
    }

    @Test("What was asked stands in a refusal as printable ASCII")
    func printable() throws {
        let site = try Site()
        let wrong = ["%1B[31m", "%0D%0A%0D%0Aforged", "%E2%80%AEtxt", "%C2%9B", "%7F"]
        for text in wrong {
            for answer in [
                site.ask("/ipfs/\(site.folder.cid)/\(text)", "format=car"),
                site.ask("/ipfs/\(site.note.cid)", "format=\(text)"),
                site.ask("/ipfs/\(site.note.cid)", "format=car&car-dups=\(text)"),
                site.ask("/ipfs/\(text)", "format=raw"),
                site.ask("/ipfs/é\u{1B}\(text)", "format=raw"),
                site.ask("/ipfs/\(site.note.cid)", "") { $0.method = "\u{1B}\(text)" },
            ] {
                let body = try answer.all()
                #expect(answer.status >= 400 && body.last == 10 && !body.isEmpty)
                #expect(body.dropLast().allSatisfy { (0x20..<0x7F).contains($0) }, "\(text)")
                #expect(answer["content-length"] == "\(body.count)")
            }
        }
        let body = try site.ask("/ipfs/\(site.folder.cid)/a%1Bb", "format=car").all()
        #expect(String(decoding: body, as: UTF8.self) == "/ipfs/\(site.folder.cid) has no entry a%1Bb\n")
    }

    @Test("Tags tell answers apart, and a known one is not sent again")
    func tags() throws {
        let site = try Site()
        let (root, folder) = (site.file.root, site.folder.cid)
        let asked = [
            ("/ipfs/\(root)", "format=raw"), ("/ipfs/\(root)", "format=car"), ("/ipfs/\(folder)", "format=car"),
            ("/ipfs/\(folder)/note.txt", "format=car"), ("/ipfs/\(folder)/model%20bytes", "format=car"),
            ("/ipfs/\(root)", "format=car&dag-scope=block"), ("/ipfs/\(root)", "format=car&dag-scope=entity"),
            ("/ipfs/\(root)", "format=car&entity-bytes=0:5"), ("/ipfs/\(root)", "format=car&entity-bytes=0:6"),
            ("/ipfs/\(root)", "format=car&car-dups=y"),
        ]
        let tags = asked.compactMap { site.ask($0, $1)["etag"] }
        #expect(Set(tags).count == asked.count && tags.allSatisfy { $0.hasPrefix("\"") && $0.hasSuffix("\"") })
        for ((path, query), tag) in zip(asked, tags) {
            for known in [tag, "W/\(tag)", "\"x\", \(tag)", "*"] {
                let answer = site.ask(path, query) { $0.ifNoneMatch = known }
                #expect(try answer.status == 304 && answer.all().isEmpty && answer["etag"] == tag)
            }
            #expect(site.ask(path, query) { $0.ifNoneMatch = "\"other\"" }.status == 200)
        }
        #expect(site.ask("/ipfs/\(CID.of([9], codec: .raw))", "format=raw") { $0.ifNoneMatch = "*" }.status == 404)
    }

    @Test("A range of a block's bytes is answered; others are left alone, or cannot be")
    func ranges() throws {
        let site = try Site()
        let path = "/ipfs/\(site.note.cid)"
        let cases: [(String, Int, String)] = [
            ("bytes=0-1", 206, "a "), ("bytes=2-", 206, "note"), ("bytes=-3", 206, "ote"), ("bytes=-99", 206, "a note"),
            ("bytes=4-99", 206, "te"),
            ("bytes=6-", 416, ""), ("bytes=-0", 416, ""), ("bytes=3-1", 200, "a note"),
            ("bytes=0-1,3-4", 200, "a note"), ("lines=1-2", 200, "a note"),
            ("bytes=a-b", 200, "a note"), ("bytes=-", 200, "a note"), ("bytes=99999999999999999999-", 200, "a note"),
            ("bytes=--5", 200, "a note"),
        ]
        for (range, status, text) in cases {
            let answer = site.ask(path, "format=raw") { $0.range = range }
            #expect(answer.status == status, "\(range)")
            if status != 416 {
                #expect(try answer.all() == Array(text.utf8) && answer["content-length"] == "\(text.utf8.count)")
            }
        }
        #expect(site.ask(path, "format=raw") { $0.range = "bytes=2-3" }["content-range"] == "bytes 2-3/6")
        #expect(site.ask(path, "format=raw") { $0.range = "bytes=9-" }["content-range"] == "bytes */6")
        let tag = site.ask(path, "format=raw")["etag"]
        #expect(site.ask(path, "format=raw") { ($0.range, $0.ifRange) = ("bytes=2-3", tag) }.status == 206)
        #expect(site.ask(path, "format=raw") { ($0.range, $0.ifRange) = ("bytes=2-3", "\"other\"") }.status == 200)
        #expect(site.ask(path, "format=car") { $0.range = "bytes=0-1" }.status == 200)
    }

    @Test("A name that is asked for cannot end its header")
    func names() throws {
        let site = try Site()
        func named(_ name: String) -> String? {
            site.ask("/ipfs/\(site.note.cid)", "format=raw&filename=\(name)")["content-disposition"]
        }
        #expect(named("model.bin") == "attachment; filename=\"model.bin\"")
        #expect(named("a%22%0D%0Ab%5C") == "attachment; filename=\"a___b_\"; filename*=UTF-8''a%22%0D%0Ab%5C")
        #expect(named("test%D1%82.bin") == "attachment; filename=\"test_.bin\"; filename*=UTF-8''test%D1%82.bin")
        #expect(named(String(repeating: "x", count: 300)) == "attachment; filename=\"\(site.note.cid).bin\"")
    }

    @Test("A block that is damaged or gone ends the body with an error; the answer never has another's bytes")
    func damaged() throws {
        let site = try Site()
        var walk = GraphWalk(from: site.file.root, in: site.blocks)
        var cids: [CID] = []
        while let block = try walk.next() { cids.append(block.cid) }
        for cid in cids.dropFirst() {
            let lying = Lying(blocks: site.blocks, cid: cid, bytes: [1, 2, 3])
            let answer = TrustlessGateway(lying).answer(.init(path: "/ipfs/\(site.file.root)", query: "format=car"))
            #expect(answer.status == 200)
            #expect(throws: ContentError.self) { try answer.all() }
            let raw = TrustlessGateway(lying).answer(.init(path: "/ipfs/\(cid)", query: "format=raw"))
            #expect(raw.status == 500 && raw["cache-control"] == "no-store")
        }
    }

    @Test("Any request at all is answered, with header fields that are header fields")
    func anyRequest() throws {
        let site = try Site()
        var bytes = SeededBytes("requests")
        let parts = [
            "/ipfs/", "\(site.folder.cid)", "\(site.file.root)", "bafkqaaa", "/note.txt", "/", "%20", "%", "\r\n", "é",
            "?", "format=raw", "format=car", "&",
            "dag-scope=", "entity", "entity-bytes=", "0:*", "-1:5", "car-dups=y", "filename=", "a\"b", Site.rawType,
            Site.carType, ";", "q=0.5", ",", "dups=y", "\"", "bytes=", "0-5",
        ]
        var statuses: Set<Int> = []
        for _ in 0..<5_000 {
            func text() -> String { bytes.next(8).prefix(5).map { parts[Int($0) % parts.count] }.joined() }
            let start = bytes.next(8)[0] & 3 == 0 ? "" : "/ipfs/\(site.folder.cid)"
            var request = GatewayRequest(path: start + text(), query: "format=car&" + text(), accept: text())
            (request.range, request.ifNoneMatch) = (text(), text())
            if bytes.next(8)[0] & 1 == 0 { request.path = "/ipfs/\(site.folder.cid)" }
            let answer = TrustlessGateway(site.blocks).answer(request)
            statuses.insert(answer.status)
            for (name, value) in answer.headers {
                #expect(
                    !name.isEmpty && value.unicodeScalars.allSatisfy { $0.value >= 0x20 && $0.value < 0x7F },
                    "\(name): \(value)")
            }
            _ = try answer.all()
        }
        #expect(statuses.isSuperset(of: [200, 400, 404]))
    }
}
