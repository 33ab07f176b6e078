#!/usr/bin/env python3
"""Instructions a GET hit takes, as a field and from a bare Hummingbird route: those of 2,000 requests less those of 500.

    Benchmarks/http-hit/instructions.py PATH-OF-http-hit      (needs valgrind and strip)
"""
import json, re, signal, subprocess, sys, tempfile

import compare


def count(command, requests, out):
    port = compare.free_port()
    valgrind = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}", *command(port)]
    server = subprocess.Popen(valgrind, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    compare.wait_for(port)
    compare.ask(port, requests)
    server.send_signal(signal.SIGTERM)
    server.wait(60)
    with open(out) as file:
        return int(re.search(r"^(?:summary|totals): (\d+)", file.read(), re.M).group(1))


with tempfile.TemporaryDirectory() as folder:
    # valgrind 3.19 gives up on the debug information of Swift 6.
    subprocess.run(["strip", "--strip-debug", "-o", f"{folder}/http-hit", sys.argv[1]], check=True)
    with open(f"{folder}/body.json", "w") as file:
        people = [{"id": f"rec{i:014}", "name": f"Persona número {i:03} de la lista"} for i in range(90)]
        json.dump(people, file, ensure_ascii=False, separators=(",", ":"))
    taken = {}
    for kind in ("bare", "field"):
        command = lambda port: [f"{folder}/http-hit", kind, str(port), f"{folder}/body.json"]
        taken[kind] = (count(command, 2000, f"{folder}/out") - count(command, 500, f"{folder}/out")) / 1500
        print(json.dumps({"server": kind, "instructions": round(taken[kind])}), flush=True)
    print(json.dumps({"of_bare": round(taken["field"] / taken["bare"], 3)}))
