"""Throw-away virtual environments for the peers that Parley is compared with.

One for each peer, since their dependencies conflict: a folder below the one given (by --folder, or the variable
PARLEY_COMPARE_FOLDER, or a temporary one that is removed at the end), with pinned packages from PyPI.

    environment.py dp_accounting            prints the path of that environment's python, creating it where needed
"""

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
    "opendp": (["opendp==0.14.1"], []),
    "diffprivlib": (["diffprivlib==0.6.6"], []),
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


def one_thread(environment=None):
    """The environment variables with which numeric libraries use one thread."""
    result = dict(environment or os.environ)
    for name in ["OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS"]:
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
