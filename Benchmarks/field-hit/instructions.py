#!/usr/bin/env python3
"""Instructions and allocations of a hit: those of 20,000 rounds less those of 10,000.

    Benchmarks/field-hit/instructions.py PATH-OF-field-hit      (needs valgrind and strip)
"""
import json, re, subprocess, sys, tempfile

CASES = ["dictionary under a lock", "field, typed", "field, bytes"]
ROUNDS = 10_000


def run(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True)


with tempfile.TemporaryDirectory() as folder:
    tool, out = f"{folder}/field-hit", f"{folder}/out"
    # valgrind 3.19 gives up on the debug information of Swift 6.
    run("strip", "--strip-debug", "-o", tool, sys.argv[1])

    def instructions(case, rounds):
        run("valgrind", "--tool=callgrind", f"--callgrind-out-file={out}", tool, case, str(rounds))
        with open(out) as file:
            return int(re.search(r"^(?:summary|totals): (\d+)", file.read(), re.M).group(1))

    def allocations(case, rounds):
        said = run("valgrind", "--tool=memcheck", "--undef-value-errors=no", tool, case, str(rounds)).stderr
        return int(re.search(r"total heap usage: ([\d,]+) allocs", said).group(1).replace(",", ""))

    for case in CASES:
        row = {"case": case}
        for name, count in [("instructions", instructions), ("allocations", allocations)]:
            row[name] = round((count(case, 2 * ROUNDS) - count(case, ROUNDS)) / ROUNDS, 2)
        print(json.dumps(row), flush=True)
