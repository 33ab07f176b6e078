#!/usr/bin/env python3
"""Other clients on the server that redis-driver measures: redis-py with hiredis, valkey-glide.

    python3 -m venv peers && peers/bin/pip install redis hiredis valkey-glide
    peers/bin/python Benchmarks/redis-driver/peers.py PORT [SECONDS]
"""
import asyncio, json, sys, time

PORT, SECONDS = int(sys.argv[1]), float(sys.argv[2]) if len(sys.argv) > 2 else 1.0
ROUNDS = 3
VALUE = b"x" * 64


async def measure(client, case, tasks, per_call, call):
    """The median of a few rounds; `per_call` operations count for each call."""
    rates, costs = [], []
    for _ in range(ROUNDS):
        start, used, calls = time.perf_counter(), time.process_time(), 0
        end = start + SECONDS

        async def work():
            nonlocal calls
            while time.perf_counter() < end:
                await call()
                calls += 1

        await asyncio.gather(*[work() for _ in range(tasks)])
        operations = calls * per_call
        rates.append(operations / (time.perf_counter() - start))
        costs.append((time.process_time() - used) * 1e6 / operations)
    row = {"case": case, "client": client, "ops_per_second": int(sorted(rates)[ROUNDS // 2])}
    row["client_cpu_us_per_op"] = round(sorted(costs)[ROUNDS // 2], 2)
    print(json.dumps(row, ensure_ascii=False, separators=(",", ":")), flush=True)


async def redis_py():
    import redis.asyncio as redis

    client = redis.Redis(port=PORT, max_connections=64)
    await client.set("peers", VALUE)
    await client.delete("peers-list")
    for _ in range(100):
        await client.rpush("peers-list", *[VALUE] * 1000)

    async def pipeline():
        pipe = client.pipeline(transaction=False)
        for _ in range(100):
            pipe.get("peers")
        await pipe.execute()

    name = "redis-py+hiredis"
    await measure(name, "GET 64 B, 1 task", 1, 1, lambda: client.get("peers"))
    await measure(name, "GET 64 B, 64 tasks", 64, 1, lambda: client.get("peers"))
    await measure(name, "GET 64 B, 1 task, pipelines of 100", 1, 100, pipeline)
    blocking = __import__("redis").Redis(port=PORT)

    async def lrange():
        blocking.lrange("peers-list", 0, -1)

    await measure(name, "LRANGE 100,000 × 64 B, 1 task", 1, 1, lrange)
    await client.delete("peers-list")
    await client.aclose()


async def glide():
    from glide import Batch, GlideClient, GlideClientConfiguration, NodeAddress

    client = await GlideClient.create(GlideClientConfiguration([NodeAddress("127.0.0.1", PORT)], request_timeout=5000))

    async def pipeline():
        batch = Batch(is_atomic=False)
        for _ in range(100):
            batch.get("peers")
        await client.exec(batch, raise_on_error=True)

    await measure("valkey-glide", "GET 64 B, 1 task", 1, 1, lambda: client.get("peers"))
    await measure("valkey-glide", "GET 64 B, 64 tasks", 64, 1, lambda: client.get("peers"))
    await measure("valkey-glide", "GET 64 B, 1 task, pipelines of 100", 1, 100, pipeline)
    await client.close()


for peer in (redis_py, glide):
    try:
        asyncio.run(peer())
    except ImportError as error:
        print(f"{peer.__name__}: {error}", file=sys.stderr)
