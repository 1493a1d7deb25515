"""What all parts of scripts/bench share: building the programs, running one, medians of several rounds."""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def built(floor):
    """Paths of the program and of a floor program of benches/, built as a release; PRESSRUN_BIN names another one."""
    line = ["cargo", "build", "--release", "--locked", "--bin", "pressrun", "--bench", floor, "--message-format=json"]
    output = subprocess.run(line, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout
    found = [json.loads(one) for one in output.splitlines()]
    paths = {one["target"]["name"]: one["executable"] for one in found if one.get("executable")}
    return os.environ.get("PRESSRUN_BIN") or paths["pressrun"], paths[floor]


def timed(line, **more):
    """Runs one program; seconds on the clock, seconds of CPU, peak of memory in MB, output.

    No peak is below what this process itself has in memory, about 18 MB: the kernel hands its peak on.
    """
    with tempfile.TemporaryFile("w+", errors="replace") as output, tempfile.TemporaryFile("w+", errors="replace") as complaint:
        started = time.monotonic()
        child = subprocess.Popen(line, stdout=output, stderr=complaint, **more)
        _, status, used = os.wait4(child.pid, 0)
        wall = time.monotonic() - started
        output.seek(0)
        said = output.read()
        if status:
            complaint.seek(0)
            sys.exit(f"{' '.join(line)} failed:\n{said}{complaint.read()}")
        return wall, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024, said


def medians(runs):
    """Of each column of the rows of each name."""
    return {name: [statistics.median(column) for column in zip(*rows)] for name, rows in runs.items()}
