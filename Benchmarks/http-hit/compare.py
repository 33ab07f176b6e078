#!/usr/bin/env python3
"""A field's GET hit beside a bare Hummingbird route and nginx's proxy_cache, same 6 KB body, in one run.

    swift build -c release --package-path Benchmarks --product http-hit
    Benchmarks/http-hit/compare.py [--binary PATH] [--seconds 5] [--rounds 3]

One JSON line each: requests a second and CPU microseconds a request (user and system), medians of the rounds, in which the
three take turns; for the field also the median ratio of its CPU to the bare route's in the same round.
"""
import argparse, json, os, re, signal, socket, statistics, subprocess, sys, tempfile, time

PATH = "/api/fields/agents"


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_for(port, limit=60):
    end = time.time() + limit
    while time.time() < end:
        try:
            ask(port, 1)
            return
        except OSError:
            time.sleep(0.1)
    sys.exit(f"nothing listens on {port}")


def ask(port, count):
    """Requests on one connection; returns the size of the last body."""
    with socket.create_connection(("127.0.0.1", port), timeout=60) as s:
        request = f"GET {PATH} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
        data, size = b"", 0
        for _ in range(count):
            s.sendall(request)
            while b"\r\n\r\n" not in data:
                part = s.recv(65536)
                if not part:
                    raise OSError("closed")
                data += part
            head, data = data.split(b"\r\n\r\n", 1)
            if b" 200 " not in head.split(b"\r\n")[0]:
                sys.exit(head.decode())
            size = int(re.search(rb"content-length: (\d+)", head, re.I).group(1))
            while len(data) < size:
                data += s.recv(65536)
            data = data[size:]
        return size


def cpu(pids):
    ticks = 0
    for pid in pids:
        fields = open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def children(pid):
    found = subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True).stdout.split()
    return [pid] + [int(p) for p in found]


def start_nginx(folder, port, upstream):
    # Started by root, its workers are nobody.
    os.makedirs(f"{folder}/cache", exist_ok=True)
    for path in (folder, f"{folder}/cache"):
        os.chmod(path, 0o777)
    conf = f"""
    worker_processes 2; pid {folder}/nginx.pid; error_log {folder}/error.log; daemon off;
    events {{ worker_connections 1024; }}
    http {{
      access_log off; client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f;
      uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s; keepalive_requests 100000000;
      proxy_cache_path {folder}/cache keys_zone=k:1m; proxy_cache k; proxy_cache_valid 200 1h;
      proxy_ignore_headers Cache-Control Vary; proxy_hide_header Cache-Control;
      server {{ listen 127.0.0.1:{port}; location / {{ proxy_pass http://127.0.0.1:{upstream}; }} }}
    }}"""
    with open(f"{folder}/nginx.conf", "w") as f:
        f.write(conf)
    return subprocess.Popen(["nginx", "-p", folder, "-c", f"{folder}/nginx.conf"], stderr=subprocess.DEVNULL)


def wrk(port, seconds):
    out = subprocess.run(
        ["wrk", "-t1", "-c32", f"-d{seconds}s", f"http://127.0.0.1:{port}{PATH}"], capture_output=True, text=True
    ).stdout
    return int(re.search(r"(\d+) requests in", out).group(1)), float(re.search(r"Requests/sec:\s+([\d.]+)", out).group(1))


def main():
    parser = argparse.ArgumentParser()
    here = os.path.dirname(os.path.abspath(__file__))
    parser.add_argument("--binary", default=f"{here}/../.build/release/http-hit")
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        body = f"{folder}/body.json"
        people = [{"id": f"rec{i:014}", "name": f"Persona número {i:03} de la lista"} for i in range(90)]
        text = json.dumps(people, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
        with open(body, "w") as f:
            f.write(text)
        command = {k: (lambda port, k=k: [options.binary, k, str(port), body]) for k in ("bare", "field")}
        ports = {k: free_port() for k in ("bare", "field", "nginx")}
        processes = {k: subprocess.Popen(command[k](ports[k]), stdout=subprocess.DEVNULL) for k in command}
        processes["nginx"] = start_nginx(folder, ports["nginx"], ports["field"])
        results = {k: {"rate": [], "cpu": []} for k in ports}
        try:
            sizes = {}
            for k, port in ports.items():
                wait_for(port)
                sizes[k] = ask(port, 100)
            for _ in range(options.rounds):
                for k, port in ports.items():
                    pids = children(processes[k].pid)
                    before = cpu(pids)
                    count, rate = wrk(port, options.seconds)
                    results[k]["rate"].append(rate)
                    results[k]["cpu"].append((cpu(pids) - before) / count * 1e6)
        finally:
            for process in processes.values():
                process.send_signal(signal.SIGTERM)
            for process in processes.values():
                process.wait(30)
        for k in ports:
            line = {
                "server": k,
                "bytes": sizes[k],
                "requests_per_second": round(statistics.median(results[k]["rate"])),
                "cpu_microseconds": round(statistics.median(results[k]["cpu"]), 1),
            }
            if k == "field":
                ratios = [f / b for f, b in zip(results["field"]["cpu"], results["bare"]["cpu"])]
                line["cpu_of_bare"] = round(statistics.median(ratios), 3)
            print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
