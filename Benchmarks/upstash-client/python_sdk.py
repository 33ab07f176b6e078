"""python_sdk.py URL TOKEN GET|SET TASKS SECONDS: what the official Python SDK's asynchronous client does; see compare.py."""

import asyncio
import json
import sys
import time

from upstash_redis.asyncio import Redis


async def main():
    url, token, case = sys.argv[1:4]
    tasks, seconds = int(sys.argv[4]), float(sys.argv[5])
    async with Redis(url=url, token=token) as redis:
        await redis.set("bench", "x" * 64)
        operation = (lambda: redis.get("bench")) if case == "GET" else (lambda: redis.set("bench", "x" * 64))
        start = time.monotonic()

        async def run():
            count = 0
            while time.monotonic() < start + seconds:
                await operation()
                count += 1
            return count

        counts = await asyncio.gather(*(run() for _ in range(tasks)))
        rate = sum(counts) / (time.monotonic() - start)
    print(json.dumps({"bench": "python-sdk", "case": case, "tasks": tasks, "ops_per_s": round(rate)}))


asyncio.run(main())
