import NIOCore
import RESP
import TestSupport
import Testing

@Suite struct RESPDecoderTests {
    static let samples: [(String, RESPValue)] = [
        ("+OK\r\n", .simpleString("OK")),
        ("+\r\n", .simpleString("")),
        ("+é\r\n", .simpleString("é")),
        ("-WRONGTYPE no\r\n", .error(RESPError("WRONGTYPE no"))),
        ("!10\r\nERR\r\nthing\r\n", .error(RESPError("ERR\r\nthing"))),
        (":0\r\n", .integer(0)),
        (":+7\r\n", .integer(7)),
        (":-12\r\n", .integer(-12)),
        (":9223372036854775807\r\n", .integer(.max)),
        (":-9223372036854775808\r\n", .integer(.min)),
        ("$-1\r\n", .null),
        ("*-1\r\n", .null),
        ("_\r\n", .null),
        ("$0\r\n\r\n", .bulk("")),
        ("$5\r\na\r\nbc\r\n", .bulk("a\r\nbc")),
        ("=7\r\ntxt:abc\r\n", .verbatimString(format: "txt", ByteBuffer(string: "abc"))),
        (",1.5\r\n", .double(1.5)),
        (",-3\r\n", .double(-3)),
        (",1e-9\r\n", .double(1e-9)),
        (",inf\r\n", .double(.infinity)),
        (",-inf\r\n", .double(-.infinity)),
        ("#t\r\n", .boolean(true)),
        ("#f\r\n", .boolean(false)),
        (
            "(-3492890328409238509324850943850943825024385\r\n",
            .bigNumber("-3492890328409238509324850943850943825024385")
        ),
        ("*0\r\n", .array([])),
        ("%0\r\n", .map([])),
        ("~0\r\n", .set([])),
        ("*2\r\n:1\r\n*1\r\n$1\r\nx\r\n", .array([.integer(1), .array([.bulk("x")])])),
        ("%1\r\n+a\r\n*0\r\n", .map([.init(key: .simpleString("a"), value: .array([]))])),
        ("~2\r\n:1\r\n_\r\n", .set([.integer(1), .null])),
        (">2\r\n+message\r\n:1\r\n", .push([.simpleString("message"), .integer(1)])),
        ("|1\r\n+ttl\r\n:9\r\n:1\r\n", .integer(1)),
        ("*2\r\n|1\r\n+ttl\r\n*1\r\n:9\r\n:1\r\n|0\r\n:2\r\n", .array([.integer(1), .integer(2)])),
    ]

    @Test(arguments: samples)
    func decodesEveryType(text: String, value: RESPValue) {
        #expect(Decoded(text) == Decoded(values: [value]))
    }

    @Test func copiesDoNotShareWhatTheyDecode() throws {
        var decoder = RESPDecoder()
        decoder.append(ByteBuffer(string: "$5\r\nfirst\r\n"))
        let first = try decoder.next()
        var copy = decoder
        decoder.append(ByteBuffer(string: "$8\r\noriginal\r\n"))
        let original = try decoder.next()
        copy.append(ByteBuffer(string: "$6\r\ncopied\r\n"))
        let copied = try copy.next()
        #expect([first, original, copied] == [.bulk("first"), .bulk("original"), .bulk("copied")])
    }

    @Test func takesNoPushForAnElement() {
        let push = ">2\r\n$10\r\ninvalidate\r\n*1\r\n$1\r\nk\r\n"
        let text = "*2\r\n$1\r\na\r\n\(push)%1\r\n\(push)+f\r\n>0\r\n_\r\n+OK\r\n"
        let pushed = RESPValue.push([.bulk("invalidate"), .array([.bulk("k")])])
        let map = RESPValue.map([.init(key: .simpleString("f"), value: .null)])
        let expected: [RESPValue] = [pushed, pushed, .push([]), .array([.bulk("a"), map]), .simpleString("OK")]
        #expect(Decoded(text).values == expected)
        #expect(Decoded(text.utf8.map { [$0] }).values == expected)
    }

    @Test func takesNoPushForAnElementHoweverDeep() {
        var limits = RESPDecoder.Limits()
        limits.depth = 1
        let text = "*2\r\n+a\r\n>1\r\n+b\r\n+c\r\n"
        let values = Decoded([Array(text.utf8)], limits: limits, dropsTooDeep: true).values
        #expect(values == [.push([]), .array([.simpleString("a"), .simpleString("c")])])
    }

    @Test func decodesNotANumber() {
        let values = Decoded(",nan\r\n").values
        #expect(values.count == 1)
        #expect(values.first?.double?.isNaN == true)
    }

    @Test func keepsTheBytesOfAStatus() {
        let bytes: [UInt8] = [0x61, 0xFF, 0x62]
        #expect(Decoded([Array("+".utf8) + bytes + [13, 10]]).values == [.bulkString(ByteBuffer(bytes: bytes))])
    }

    @Test func cutsDoNotMatter() {
        let bytes = Self.samples.flatMap { Array($0.0.utf8) }
        let expected = Decoded(values: Self.samples.map(\.1))
        #expect(Decoded([bytes]) == expected)
        #expect(Decoded(bytes.map { [$0] }) == expected)
        for cut in 1..<bytes.count {
            #expect(Decoded([Array(bytes[..<cut]), Array(bytes[cut...])]) == expected)
        }
    }

    @Test(arguments: [255, 256, 257, 4095, 4096, 4097, 70_000, 3 << 20])
    func decodesStringsOfEverySizeInPieces(length: Int) {
        var generator = SplitMix64(seed: UInt64(length))
        let payload = (0..<length).map { _ in UInt8.random(in: 0...255, using: &generator) }
        let one = Array("$\(length)\r\n".utf8) + payload + Array("\r\n".utf8)
        let stream = one + Array(":1\r\n".utf8) + one
        let expected = Decoded(values: [
            .bulkString(ByteBuffer(bytes: payload)), .integer(1),
            .bulkString(ByteBuffer(bytes: payload)),
        ])
        #expect(Decoded([stream]) == expected)
        #expect(Decoded(stream.pieces(ofAbout: max(1, length / 20), using: &generator)) == expected)
    }

    @Test(arguments: [
        "$9223372036854775807\r\n", "$99999999999999999999\r\n", "%9223372036854775807\r\n", "*9223372036854775807\r\n",
        "~4611686018427387904\r\n", "|9223372036854775807\r\n", ">9223372036854775807\r\n", "!9223372036854775807\r\n",
        "=9223372036854775807\r\n", ":9223372036854775808\r\n", ":-9223372036854775809\r\n", "$-2\r\n", "*-2\r\n",
        "%-1\r\n", "~-1\r\n", "!-1\r\n", "=-1\r\n", "$\r\n", ":\r\n", ":-\r\n", ":1a\r\n", ": 1\r\n", "$+\r\n", "*\r\n",
        "#\r\n", "#x\r\n", "#tt\r\n", "_x\r\n", ",\r\n", ",abc\r\n", ",0x1p3\r\n",
        "=3\r\ntxt\r\n", "=4\r\ntxt;\r\n", "=0\r\n\r\n", "$1\r\nabc\r\n", "$2\r\na\r\n+", "+O\rK\r\n", "x\r\n", "\r\n",
        "*?\r\n", "$?\r\n", "GET / HTTP/1.1\r\n\r\n", "$-9223372036854775808\r\n", "*2\r\n:1\r\n^\r\n",
    ])
    func refusesWhatIsNotRESP(text: String) {
        let decoded = Decoded(text)
        #expect(decoded.values.isEmpty)
        #expect(decoded.error != nil)
        #expect(Decoded(text.utf8.map { [$0] }).error == decoded.error)
    }

    @Test func repeatsItsError() throws {
        var decoder = RESPDecoder()
        decoder.append(ByteBuffer(string: "?\r\n+OK\r\n"))
        #expect(throws: RESPDecodingError.self) { try decoder.next() }
        decoder.append(ByteBuffer(string: "+OK\r\n"))
        #expect(throws: RESPDecodingError.self) { try decoder.next() }
    }

    @Test func dropsWhatIsTooDeep() {
        var limits = RESPDecoder.Limits()
        limits.depth = 3
        let text = "*2\r\n%1\r\n+k\r\n*2\r\n*1\r\n~1\r\n:1\r\n$3\r\nabc\r\n:2\r\n+OK\r\n*1\r\n:3\r\n"
        for pieces in [[Array(text.utf8)], text.utf8.map { [$0] }] {
            let decoded = Decoded(pieces, limits: limits, dropsTooDeep: true)
            #expect(decoded.error == nil)
            let tooDeep = RESPValue.error(RESPError("ERR the reply is nested deeper than 3 levels"))
            let pairs = [RESPValue.Pair(key: .simpleString("k"), value: .array([tooDeep, .bulk("abc")]))]
            #expect(
                decoded.values == [
                    .array([.map(pairs), .integer(2)]), .simpleString("OK"), .array([.integer(3)]),
                ]
            )
        }
        let endless = Decoded([Array(String(repeating: "*1\r\n", count: 20_000).utf8)], dropsTooDeep: true)
        #expect(endless.error?.code == .tooDeep)
    }

    @Test func holdsItsLimits() {
        var limits = RESPDecoder.Limits()
        limits.depth = 3
        limits.blobLength = 10
        limits.lineLength = 20
        limits.elementCount = 4
        #expect(Decoded("*1\r\n*1\r\n*1\r\n:1\r\n", limits: limits).error == nil)
        #expect(Decoded("*1\r\n*1\r\n*1\r\n*1\r\n:1\r\n", limits: limits).error?.code == .tooDeep)
        #expect(Decoded("$10\r\n0123456789\r\n", limits: limits).error == nil)
        #expect(Decoded("$11\r\n", limits: limits).error?.code == .tooLong)
        #expect(Decoded("+0123456789012345678\r\n", limits: limits).error == nil)
        #expect(Decoded("+01234567890123456789\r\n", limits: limits).error?.code == .tooLong)
        #expect(Decoded("+012345678901234567890123", limits: limits).error?.code == .tooLong)
        #expect(Decoded("*4\r\n", limits: limits).error == nil)
        #expect(Decoded("*5\r\n", limits: limits).error?.code == .tooLong)
        #expect(Decoded("%2\r\n", limits: limits).error == nil)
        #expect(Decoded("%3\r\n", limits: limits).error?.code == .tooLong)
    }

    @Test func shortPayloadsPinLittle() throws {
        var decoder = RESPDecoder()
        var read = ByteBufferAllocator().buffer(capacity: 64 << 10)
        for index in 0..<1000 { read.writeString("$5\r\n\(10_000 + index)\r\n") }
        decoder.append(read)
        var values: [ByteBuffer] = []
        while let value = try decoder.next() { values.append(try #require(value.bytes)) }
        let sent = (10_000..<11_000).map(String.init)
        #expect(values.map { String(buffer: $0) } == sent)
        #expect(values.allSatisfy { $0.storageCapacity <= 4096 })
        // Writing to one does not show in its neighbours, whose storage it shares.
        values[0].setInteger(UInt8(ascii: "x"), at: values[0].readerIndex)
        values[1].writeString("more")
        #expect(values[..<3].map { String(buffer: $0) } == ["x0000", "10001more", "10002"])
    }

    @Test func readsNothingTwice() throws {
        let elements = 20_000
        let bytes = Array("*\(elements)\r\n".utf8) + (0..<elements).flatMap { Array("$5\r\n\(10_000 + $0)\r\n".utf8) }
        let size = bytes.count / 1000 + 1
        var decoder = RESPDecoder()
        var pieces = 0
        var values: [RESPValue] = []
        for start in stride(from: 0, to: bytes.count, by: size) {
            decoder.append(ByteBuffer(bytes: bytes[start..<min(bytes.count, start + size)]))
            pieces += 1
            while let value = try decoder.next() { values.append(value) }
        }
        #expect(values.first?.array?.count == elements)
        #expect(pieces > 900)
        #expect(decoder.tokenReads <= elements + 1 + pieces + 1)
    }
}
