import NIOCore
import RESP
import TestSupport
import Testing

@Suite struct RESPValueTests {
    @Test func readsBothVersionsAlike() {
        #expect(RESPValue.bulk("1.5").double == 1.5)
        #expect(RESPValue.double(1.5).double == 1.5)
        #expect(RESPValue.integer(2).double == 2)
        #expect(RESPValue.bulk("42").integer == 42)
        #expect(RESPValue.bulk(" 42").integer == nil)
        #expect(RESPValue.double(42).integer == 42)
        #expect([1.5, 1e300, .nan, .infinity].allSatisfy { RESPValue.double($0).integer == nil })
        #expect(RESPValue.integer(1).boolean == true)
        #expect(RESPValue.boolean(false).boolean == false)
        #expect(RESPValue.integer(2).boolean == nil)
        #expect(RESPValue.set([.null]).array == [.null])
        let pairs = [RESPValue.Pair(key: .bulk("a"), value: .bulk("b"))]
        #expect(RESPValue.map(pairs).pairs == pairs)
        #expect(RESPValue.array([.bulk("a"), .bulk("b")]).pairs == pairs)
        #expect(RESPValue.array([]).pairs == [])
        #expect(RESPValue.array([.bulk("a")]).pairs == nil)
        // As ZRANGE … WITHSCORES has them in RESP3, and XREAD in RESP2.
        #expect(RESPValue.array([.array([.bulk("a"), .bulk("b")])]).pairs == pairs)
        let nested = [pairs[0], RESPValue.Pair(key: .bulk("c"), value: .double(2))]
        let arrays = nested.map { RESPValue.array([$0.key, $0.value]) }
        #expect(RESPValue.array(arrays).pairs == nested)
        #expect(RESPValue.array([.array([.bulk("1"), .bulk("2")]), .null]).pairs == nil)
        // A list as a value does not make it one of pairs.
        let list = RESPValue.array([.bulk("x"), .bulk("y")])
        #expect(RESPValue.array([.bulk("a"), list]).pairs == [.init(key: .bulk("a"), value: list)])
        #expect(RESPValue.null.pairs == nil)
        #expect(RESPValue.null.isNull)
    }

    @Test func textMustBeUTF8() {
        #expect(RESPValue.bulk("ñ").string == "ñ")
        #expect(RESPValue.bulkString(ByteBuffer(bytes: [0xC3])).string == nil)
        #expect(RESPValue.simpleString("OK").bytes == ByteBuffer(string: "OK"))
        #expect(RESPValue.integer(1).string == nil)
    }

    @Test func errorsHaveCodes() {
        let error = RESPError("NOSCRIPT No matching script.")
        #expect(error.code == .noScript)
        #expect(error.message == "No matching script.")
        #expect(RESPError("something odd").code == .generic)
        #expect(RESPError("something odd").message == "something odd")
        #expect(RESPError("").code == .generic)
        #expect(throws: error) { try RESPValue.error(error).get() }
    }

    /// As Redis 6.2 answers to `EVAL`: called, or called for the script to look at the error and give it out.
    @Test(arguments: ["ERR Error running script (call to f_897afd): @user_script:12: ", ""])
    func knowsWhatEndedAScriptOfRedis6(head: String) {
        let error = RESPError("\(head)@user_script: 12: -OOM command not allowed when used memory > 'maxmemory'.")
        #expect(error.code == .outOfMemory)
        #expect(error.message == "command not allowed when used memory > 'maxmemory'.")
        let own = RESPError("\(head)@user_script: 12: Script attempted to access nonexistent global variable 'a'")
        #expect(own.code == .generic)
        #expect(own.text.hasSuffix(own.message))
    }

    @Test func errorsDoNotRepeatArguments() {
        let error = RESPError("ERR unknown command 'AUHT', with args beginning with: 'secret' ")
        #expect(error.description == "ERR unknown command 'AUHT'")
        #expect(!printed(error).contains("secret"))
    }
}
