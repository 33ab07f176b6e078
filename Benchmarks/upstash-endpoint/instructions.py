#!/usr/bin/env python3
"""Instructions and allocations of a command in pipelines of 100, by one caller: in the endpoint and with RedisClient alone.

    Benchmarks/upstash-endpoint/instructions.py PATH-OF-upstash-endpoint      (needs valgrind, strip and redis-server)

Those of 600 pipelines less those of 200. What HTTP costs is what pipelines of one command cost less that command.
"""
import http.client, json, os, re, signal, socket, subprocess, sys, tempfile, time

COMMANDS = 100
ROUNDS = 200
CASES = {
    "SET 64 B": ("", lambda i: ["SET", f"bench:{i}", "x" * 64]),
    "GET 64 B": ("", lambda i: ["GET", f"bench:{i}"]),
    "GET 64 B, base64": ("Upstash-Encoding: base64\r\n", lambda i: ["GET", f"bench:{i}"]),
}


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def ask(port, fields, body, count):
    """On one connection; what comes has to be answered in full."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=600)
    connection.connect()
    fields += f"Host: 127.0.0.1:{port}\r\nAuthorization: Bearer t\r\nContent-Length: {len(body)}\r\n"
    request = f"POST /pipeline HTTP/1.1\r\n{fields}\r\n".encode() + body
    for _ in range(count):
        connection.sock.sendall(request)
        answer = http.client.HTTPResponse(connection.sock)
        answer.begin()
        if answer.status != 200 or b'"error"' in answer.read():
            sys.exit("an error was answered")
    connection.close()


class Counter:
    def __init__(self, folder, tool, store):
        self.folder, self.tool, self.store = folder, tool, store

    def finish(self, kind, *command, use=None):
        """What a command under valgrind counts, ended by a signal once it was used."""
        out, log = f"{self.folder}/out", f"{self.folder}/log"
        options = {
            "instructions": ["--tool=callgrind", f"--callgrind-out-file={out}"],
            "allocations": ["--tool=memcheck", "--undef-value-errors=no"],
        }[kind]
        process = subprocess.Popen(
            ["valgrind", f"--log-file={log}", *options, self.tool, *command], stdout=subprocess.PIPE, text=True
        )
        if use:
            use(int(process.stdout.readline()))
            process.send_signal(signal.SIGTERM)
        if process.wait(600) != 0:
            sys.exit(open(log).read())
        pattern = r"^(?:summary|totals): (\d+)" if kind == "instructions" else r"total heap usage: ([\d,]+) allocs"
        with open(out if kind == "instructions" else log) as file:
            return int(re.search(pattern, file.read(), re.M).group(1).replace(",", ""))

    def endpoint(self, kind, fields, body):
        def count(rounds):
            return self.finish(kind, "serve", self.store, "0", use=lambda port: ask(port, fields, body, rounds))

        return (count(3 * ROUNDS) - count(ROUNDS)) / (2 * ROUNDS)

    def client(self, kind, case):
        def count(rounds):
            return self.finish(kind, "run", self.store, case, str(rounds))

        return (count(3 * ROUNDS) - count(ROUNDS)) / (2 * ROUNDS)


def main():
    with tempfile.TemporaryDirectory() as folder:
        tool = f"{folder}/upstash-endpoint"
        # valgrind 3.19 gives up on the debug information of Swift 6.
        subprocess.run(["strip", "--strip-debug", "-o", tool, sys.argv[1]], check=True)
        port = free_port()
        redis = subprocess.Popen(["redis-server", "--port", str(port), "--save", ""], stdout=subprocess.DEVNULL)
        try:
            while True:
                try:
                    socket.create_connection(("127.0.0.1", port)).close()
                    break
                except OSError:
                    time.sleep(0.05)
            counter = Counter(folder, tool, f"redis://127.0.0.1:{port}")
            for case, (fields, command) in CASES.items():
                def body(count):
                    return json.dumps([command(i) for i in range(count)], separators=(",", ":")).encode()

                row = {"case": case}
                for kind in ("instructions", "allocations"):
                    all, few = (counter.endpoint(kind, fields, body(count)) for count in (COMMANDS, 2))
                    each = (all - few) / (COMMANDS - 2)
                    client = counter.client(kind, case)
                    row[kind] = {
                        "endpoint": round(all / COMMANDS, 2),
                        "of_it_request": round((all - COMMANDS * each) / COMMANDS, 2),
                        "client": round(client / COMMANDS, 2),
                        "ratio": round(all / client, 2),
                    }
                print(json.dumps(row), flush=True)
        finally:
            redis.terminate()


if __name__ == "__main__":
    main()
