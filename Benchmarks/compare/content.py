#!/usr/bin/env python3
"""A file of 256 MB made content, beside Kubo: blocks, CIDs and durable storage, and back. CPU and wall time, peak memory.

    content.py --parley-bench PATH [--folder FOLDER]    one JSON object a line

Kubo 0.22 is PyPI's kubo-python, a node in a process of its own. It adds with its own defaults of then, leaves of 256 KiB in dag-pb and each
block synchronised; ours are of 1 MiB, raw.
"""

import argparse
import pathlib
import random
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
from environment import Environments, tell

KUBO = pathlib.Path(__file__).resolve().parent.parent.parent / "Tests" / "ContentStorageTests" / "Kubo" / "kubo.py"
MEGABYTES = 256


def main():
    arguments = argparse.ArgumentParser(description="Content, beside Kubo.")
    arguments.add_argument("--parley-bench", required=True, help="the parley-bench executable, built for release")
    arguments.add_argument("--folder", help="where environments are kept; a temporary folder otherwise")
    chosen = arguments.parse_args()
    subprocess.run([chosen.parley_bench, "content"], check=True)
    with Environments(chosen.folder) as environments, tempfile.TemporaryDirectory() as folder:
        file = pathlib.Path(folder) / "file"
        file.write_bytes(random.Random(15).randbytes(MEGABYTES * 1_000_000))
        try:
            python = environments.python("kubo")
        except (subprocess.CalledProcessError, OSError):
            return tell({"library": "kubo", "skipped": "cannot be installed, for the reason above"})
        # A node's memory and time are of a process that does nothing else, on as many threads as it likes.
        result = subprocess.run([python, str(KUBO), "time", folder, str(file)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        lines = [line for line in result.stdout.splitlines() if line.startswith("{")]
        print(lines[0] if result.returncode == 0 and lines else '{"library": "kubo", "skipped": "failed"}', flush=True)


if __name__ == "__main__":
    main()
