#!/usr/bin/env python3
"""UpstashClient beside the official Python SDK's asynchronous client, both against our endpoint, in one run.

    swift build -c release --product freshet
    swift build -c release --package-path Benchmarks --product upstash-client
    .build/venv/bin/python Benchmarks/upstash-client/compare.py [--seconds 3] [--rounds 3]

Starts a redis-server and `freshet upstash`. One JSON line a figure, each the median of the rounds, in which both take turns:
GET and SET of 64 and 256 tasks with the ratio of the commands a second, HTTP requests a command at 64 tasks, the latency of
one caller beside the bare HTTP request, and the endpoint's CPU a command in pipelines of 100 beside RedisClient's.
"""
import argparse, json, os, socket, statistics, subprocess, sys, time

HERE = os.path.dirname(os.path.abspath(__file__))
TOKEN = "bench"


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_for(port, limit=60):
    end = time.time() + limit
    while time.time() < end:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.1)
    sys.exit(f"nothing listens on {port}")


def run(*command):
    """The JSON line that a program prints."""
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(done.stdout + done.stderr)
    return json.loads(done.stdout)


def report(**fields):
    print(json.dumps({"bench": "upstash-client", **fields}), flush=True)


def throughput(options, url):
    for tasks in (64, 256):
        for case in ("GET", "SET"):
            pairs = []
            for _ in range(options.rounds):
                ours = run(options.binary, url, TOKEN, "throughput", case, tasks, options.seconds)
                theirs = run(sys.executable, f"{HERE}/python_sdk.py", url, TOKEN, case, tasks, options.seconds)
                pairs.append((ours["ops_per_s"], theirs["ops_per_s"]))
            report(
                case=case,
                tasks=tasks,
                ops_per_s=statistics.median(o for o, _ in pairs),
                python_ops_per_s=statistics.median(t for _, t in pairs),
                ratio=round(statistics.median(o / t for o, t in pairs), 2),
            )


def repeated(options, name, *command):
    lines = [run(options.binary, *command) for _ in range(options.rounds)]
    middle = sorted(lines, key=lambda line: line[name])[len(lines) // 2]
    report(**{key: value for key, value in middle.items() if key != "bench"})


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--binary", default=f"{HERE}/../.build/release/upstash-client")
    parser.add_argument("--freshet", default=f"{HERE}/../../.build/release/freshet")
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    redis, port = free_port(), free_port()
    processes = [
        subprocess.Popen(["redis-server", "--port", str(redis), "--save", ""], stdout=subprocess.DEVNULL)
    ]
    try:
        wait_for(redis)
        processes.append(
            subprocess.Popen(
                [options.freshet, "upstash", "--store", f"redis://127.0.0.1:{redis}", "--token", TOKEN, "--port", str(port)],
                stdout=subprocess.DEVNULL,
            )
        )
        wait_for(port)
        url = f"http://127.0.0.1:{port}"
        throughput(options, url)
        repeated(options, "requests_per_command", url, TOKEN, "requests", 64, options.seconds)
        repeated(options, "ratio", url, TOKEN, "latency")
        repeated(options, "ratio", url, TOKEN, "pipeline", processes[1].pid, redis, options.seconds)
    finally:
        for process in reversed(processes):
            process.terminate()
            process.wait()


main()
