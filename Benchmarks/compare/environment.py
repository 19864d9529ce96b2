"""Throw-away virtual environments for the peers that Parley is compared with.

One for each peer, since their dependencies conflict: a folder below the one given (by --folder, or the variable
PARLEY_COMPARE_FOLDER, or a temporary one that is removed at the end), with pinned packages from PyPI.

    environment.py dp_accounting            prints the path of that environment's python, creating it where needed
"""

import fcntl
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

# What is installed for each peer: (requirements with their dependencies, requirements without).
PEERS = {
    "dp_accounting": (["dp-accounting==0.6.0"], []),
    "autodp": (["numpy==1.26.4", "scipy==1.11.4"], ["autodp==0.2.3.1"]),
    "prv_accountant": (["numpy==1.26.4", "scipy==1.11.4"], ["prv-accountant==0.2.0"]),
    # Only its accountants' analysis, which needs no torch: see accounting.py.
    "opacus": (["numpy==1.26.4", "scipy==1.11.4"], ["opacus==1.5.4"]),
    # Opacus with the torch that it trains with.
    "torch": (["torch==2.13.0", "opacus==1.5.4"], []),
    # With the Polars that it pins (1.36.1).
    "opendp": (["opendp[polars]==0.16.0"], []),
    # It imports what scikit-learn 1.6 has removed.
    "diffprivlib": (["diffprivlib==0.6.6", "scikit-learn<1.6"], []),
    # Its Python wheels of Google's C++ library.
    "pydp": (["python-dp==1.1.5", "numpy"], []),
    "pipeline_dp": (["pipeline-dp==0.3.1"], []),
    "smartnoise": (["smartnoise-sql==1.0.10"], []),
    # What is true of a table.
    "duckdb": (["duckdb==2.0.1"], []),
    # With the NumPy that it computes with.
    "kubo": (["kubo-python==0.1.5"], []),
    "flwr": (["flwr==1.42.0", "numpy==2.4.6"], []),
    # A real EVM in process.
    "evm": (["eth-tester==0.14.0b1", "py-evm==0.12.1b1", "eth-account==0.14.0", "eth-abi==6.0.0"], []),
    # It asks for "sklearn", a name that PyPI refuses, and for what its computations do not need.
    "crypten": (["torch==2.13.0", "numpy==2.4.6", "omegaconf==2.4.0", "onnx==1.23.2", "PyYAML==6.0.4", "tensorboard==2.21.0"],
                ["crypten==0.4.1"]),
    "spu": (["spu==0.9.5", "jax==0.4.34", "numpy==1.26.4", "scipy==1.17.1"], []),
    # What writes files as SPSS, Stata, SAS, pandas and Arrow do.
    "statistics_files": (["pyreadstat==1.3.7", "pandas==3.1.1", "pyarrow==26.0.1"], []),
}


class Environments:
    """Creates environments on demand; as a context, removes the folder at the end where it is a temporary one."""

    def __init__(self, folder=None):
        folder = folder or os.environ.get("PARLEY_COMPARE_FOLDER")
        self.is_temporary = folder is None
        self.folder = pathlib.Path(folder or tempfile.mkdtemp(prefix="parley-compare-"))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.is_temporary:
            shutil.rmtree(self.folder, ignore_errors=True)

    def python(self, peer):
        """The interpreter that has the peer installed; raises CalledProcessError if it cannot be."""
        self.folder.mkdir(parents=True, exist_ok=True)
        # Two comparisons at once may share a folder.
        with open(self.folder / f"{peer}.lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            return self.installed(peer)

    def installed(self, peer):
        with_dependencies, alone = PEERS[peer]
        home = self.folder / peer
        python = home / "bin" / "python"
        done = home / ".installed"
        wanted = "\n".join(with_dependencies + alone)
        if done.exists() and done.read_text() == wanted:
            return str(python)
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(home)], check=True, stdout=sys.stderr)
        install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        if with_dependencies:
            subprocess.run(install + with_dependencies, check=True, stdout=sys.stderr)
        if alone:
            subprocess.run(install + ["--no-deps"] + alone, check=True, stdout=sys.stderr)
        done.write_text(wanted)
        return str(python)


def peer_lines(environments, peer, script, arguments):
    """Runs `script peer arguments...` with the peer's interpreter, on one thread: yields the objects that it prints, a line
    each. Where the peer cannot be installed, or fails, says so: an object with its name and `skipped`, the reason."""
    try:
        python = environments.python(peer)
    except (subprocess.CalledProcessError, OSError) as error:
        print(f"{peer}: {error}", file=sys.stderr)
        yield {"library": peer, "skipped": "cannot be installed, for the reason above"}
        return
    command = [python, str(pathlib.Path(script).resolve()), peer] + [str(argument) for argument in arguments]
    with subprocess.Popen(command, env=one_thread(), stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout:
            if line.startswith("{"):
                yield json.loads(line)
    if process.returncode != 0:
        yield {"library": peer, "skipped": f"failed with status {process.returncode}, what it says above"}


def tell(line):
    """Prints an object as a line of JSON, and what was skipped to standard error too."""
    print(json.dumps(line), flush=True)
    if "skipped" in line:
        print(f"skipped {line['library']}: {line['skipped']}", file=sys.stderr)


def one_thread(environment=None):
    """The environment variables with which numeric libraries use one thread."""
    result = dict(environment or os.environ)
    for name in ["OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS", "POLARS_MAX_THREADS"]:
        result[name] = "1"
    return result


if __name__ == "__main__":
    arguments = sys.argv[1:]
    folder = None
    if arguments[:1] == ["--folder"]:
        folder, arguments = arguments[1], arguments[2:]
    if len(arguments) != 1 or arguments[0] not in PEERS:
        sys.exit("usage: environment.py [--folder FOLDER] PEER, a peer of: " + ", ".join(PEERS))
    print(Environments(folder).python(arguments[0]))
