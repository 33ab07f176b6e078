"""Uses the endpoint with upstash-redis, Upstash's own Python SDK. Arguments: URL, token, read-only token."""

import asyncio
import sys

from upstash_redis import Redis
from upstash_redis.asyncio import Redis as AsyncRedis
from upstash_redis.errors import UpstashError

TEXT = 'é😀 "quoted" \\ \n\r\t\x00\x7f \u2028'


def error_of(call):
    try:
        call()
    except UpstashError as error:
        return str(error)
    raise AssertionError("no error was raised")


def strings(redis):
    assert redis.ping() == "PONG" and redis.echo(TEXT) == TEXT
    assert redis.set("s", TEXT) is True and redis.get("s") == TEXT
    assert redis.set("s", "OK", nx=True) is False and redis.set("s", "OK", ex=100) is True
    assert redis.get("s") == "OK" and 0 < redis.ttl("s") <= 100 and redis.get("none") is None
    assert redis.set("n", 41) and redis.incr("n") == 42 and redis.incrbyfloat("n", 0.5) == 42.5
    assert redis.mset({"a": "1", "b": "2"}) and redis.mget("a", "none", "b") == ["1", None, "2"]
    assert redis.append("a", "23") == 3 and redis.getrange("a", 0, 1) == "12" and redis.strlen("a") == 3
    assert redis.set("j", {"deep": [1, None]}) and redis.get("j") == '{"deep": [1, null]}'
    assert redis.exists("a", "b", "none") == 2 and redis.type("a") == "string" and redis.delete("a", "b") == 2
    assert redis.set("big", 12345678901234567890) and redis.get("big") == "12345678901234567890"


def hashes(redis):
    assert redis.hset("h", values={"a": TEXT, "b": "2"}) == 2
    assert redis.hget("h", "a") == TEXT and redis.hgetall("h") == {"a": TEXT, "b": "2"}
    assert redis.hmget("h", "a", "none") == [TEXT, None] and redis.hincrby("h", "b", 3) == 5
    assert redis.hlen("h") == 2 and sorted(redis.hkeys("h")) == ["a", "b"] and redis.hdel("h", "a") == 1
    assert redis.hgetall("none") == {} and redis.hexists("h", "a") is False
    assert redis.hscan("h", 0) == (0, {"b": "5"})


def collections(redis):
    assert redis.rpush("l", "a", "b", "c") == 3 and redis.lrange("l", 0, -1) == ["a", "b", "c"]
    assert redis.lpop("l") == "a" and redis.lpop("none") is None and redis.lindex("l", 1) == "c"
    assert redis.sadd("set", "a", "b") == 2
    assert sorted(redis.smembers("set")) == ["a", "b"] and redis.sismember("set", "a")
    assert redis.zadd("z", {"a": 1, "b": 2.5}) == 2
    assert redis.zrange("z", 0, -1, withscores=True) == [("a", 1.0), ("b", 2.5)]
    assert redis.zscore("z", "b") == 2.5 and redis.zscore("z", "none") is None and redis.zrank("z", "b") == 1
    assert redis.zincrby("z", 1, "a") == 2.0
    assert redis.geoadd("g", (13.361389, 38.115556, "Palermo"), (15.087269, 37.502669, "Catania")) == 2
    assert abs(redis.geodist("g", "Palermo", "Catania", unit="KM") - 166.2742) < 0.001
    assert redis.pfadd("p", "a", "b") and redis.pfcount("p") == 2
    assert redis.setbit("bits", 7, 1) == 0 and redis.bitcount("bits") == 1
    cursor, keys = redis.scan(0, count=1000)
    assert cursor == 0 and {"l", "set", "z"} <= set(keys)


def streams(redis):
    first = redis.xadd("x", "*", {"f": TEXT})
    second = redis.xadd("x", "*", {"f": "2"})
    assert redis.xlen("x") == 2
    assert [entry[0] for entry in redis.xrange("x", "-", "+")] == [first, second]
    assert redis.xread({"x": first})[0][1][0][0] == second
    assert redis.xgroup_create("x", "g", "0") == "OK"
    assert len(redis.xreadgroup("g", "c", {"x": ">"})[0][1]) == 2
    assert redis.xack("x", "g", first) == 1


def scripts(redis):
    assert redis.eval("return {KEYS[1], ARGV[1], 1, false}", keys=["k"], args=[TEXT]) == ["k", TEXT, 1, None]
    digest = redis.script_load("return redis.call('GET', KEYS[1])")
    assert redis.script_exists(digest) == [True] and redis.evalsha(digest, keys=["s"]) == "OK"
    assert error_of(lambda: redis.evalsha("0" * 40)).startswith("NOSCRIPT")
    assert redis.eval_ro("return 1") == 1
    assert redis.client_setinfo("LIB-NAME", "check") in (True, "OK")


def batches(redis):
    pipeline = redis.pipeline()
    pipeline.set("p1", TEXT).incr("p2").hset("p3", "f", "v").hgetall("p3").get("none").get("p1")
    assert pipeline.exec() == [True, 1, 1, {"f": "v"}, None, TEXT]
    transaction = redis.multi()
    transaction.incr("p2").incr("p2").get("p2").zadd("p4", {"m": 1.5}).zscore("p4", "m")
    assert transaction.exec() == [2, 3, "3", 1, 1.5]


def errors(redis, read_only):
    redis.set("text", "x")
    assert error_of(lambda: redis.incr("text")) == "ERR value is not an integer or out of range"
    assert error_of(lambda: redis.lpush("text", 1)).startswith("WRONGTYPE ")
    assert "is not available: 'NOPE'" in error_of(lambda: redis.execute(["NOPE"]))
    assert "not allowed in REST" in error_of(lambda: redis.execute(["MULTI"]))
    assert read_only.get("text") == "x"
    assert error_of(lambda: read_only.set("text", "y")).startswith("NOPERM ")
    stranger = Redis(redis._url, "wrong", rest_retries=0)
    assert error_of(lambda: stranger.get("text")).startswith("WRONGPASS ")


async def concurrency(url, token):
    async with AsyncRedis(url, token, rest_retries=0) as redis:
        numbers = await asyncio.gather(*(redis.incr("many") for _ in range(100)))
        assert sorted(numbers) == list(range(1, 101))

        async def transaction():
            commands = redis.multi()
            commands.get("pair").incr("pair").incr("pair").get("pair")
            _, first, second, after = await commands.exec()
            return second == first + 1 and after == str(second)

        assert all(await asyncio.gather(*(transaction() for _ in range(50))))


def main(url, token, read_only_token):
    for encoding in ("base64", None):
        redis = Redis(url, token, rest_encoding=encoding, rest_retries=0)
        redis.flushdb()
        strings(redis)
        hashes(redis)
        collections(redis)
        streams(redis)
        scripts(redis)
        batches(redis)
        errors(redis, Redis(url, read_only_token, rest_encoding=encoding, rest_retries=0))
    redis.flushdb()
    asyncio.run(concurrency(url, token))
    print("upstash-redis agrees")


main(*sys.argv[1:])
