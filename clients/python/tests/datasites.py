"""Real datasites for tests: made in temporary folders by the program `parley`, and served on free ports of this machine."""

from __future__ import annotations

import os
import random
import re
import subprocess
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[3]
EXAMPLE = REPOSITORY / "Examples" / "randhie"


def binary() -> Path | None:
    """The program: `$PARLEY_BIN`, else what was built in this repository."""
    if named := os.environ.get("PARLEY_BIN"):
        return Path(named)
    built = (REPOSITORY / ".build" / kind / "parley" for kind in ("release", "debug"))
    return next((path for path in built if path.exists()), None)


class Datasite:
    """A datasite's folder, and its server while it runs."""

    def __init__(self, folder: Path, program: Path, name: str = "Test site") -> None:
        self.folder = folder
        self.program = program
        self.url = ""
        self._server: subprocess.Popen[str] | None = None
        folder.mkdir(parents=True, exist_ok=True)
        # Nothing of the account that runs the tests.
        self.environment = {
            "PATH": os.environ.get("PATH", ""),
            "HOME": str(folder),
            "PARLEY_SITE": str(folder / "site"),
            "SWIFT_BACKTRACE": "enable=no",
        }
        said = self.owner("site", "init", str(folder / "site"), "--name", name)
        self.key = re.search(r"receipt: (\S+)", said).group(1)  # type: ignore[union-attr]

    def owner(self, *words: str, is_output: bool = False) -> str:
        """Runs a command as the site's owner; gives what it said, or only its output."""
        done = subprocess.run(
            [self.program, *words],
            env=self.environment,
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=120,
            stdin=subprocess.DEVNULL,
        )
        if done.returncode != 0:
            raise RuntimeError(f"parley {' '.join(words)}: {done.stdout}{done.stderr}")
        return done.stdout if is_output else done.stdout + done.stderr

    def add(self, data: Path, manifest: Path) -> None:
        self.owner("data", "add", str(data), "--manifest", str(manifest), "--yes")

    def user(self, name: str, role: str = "researcher") -> str:
        """Adds a user, and gives her token."""
        return self.owner("user", "add", name, "--role", role, is_output=True).strip()

    def start(self) -> None:
        self._server = subprocess.Popen(
            [self.program, "serve", "--port", "0"],
            env=self.environment,
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            stdin=subprocess.DEVNULL,
            text=True,
        )
        assert self._server.stdout is not None
        line = self._server.stdout.readline()
        found = re.search(r"listening on (\S+)", line)
        assert found, f"the server did not start: {line}"
        self.url = found.group(1)

    def stop(self) -> None:
        if self._server is not None:
            self._server.terminate()
            self._server.wait(30)
            assert self._server.stdout is not None
            self._server.stdout.close()
            self._server = None


VISITS = """
name: NAME
title: Visits to a clinic
description: One row is one visit.
population: NAME-patients
unit: {column: person, rows: 2, groups: 2}
capacity: {rows: 2000, units: 1000}
policy: POLICY
columns:
  - {name: person, type: integer, nullable: false, description: The patient.}
  - {name: ward, type: text, domain: [east, "o'neill"], other: east, description: The ward.}
  - {name: day, type: date, bounds: [2020-01-01, 2020-12-31], description: The day.}
  - {name: arrived, type: timestamp, bounds: ["2020-01-01T00:00:00Z", "2020-12-31T23:59:59Z"], description: When.}
  - {name: minutes, type: real, bounds: [0, 100], resolution: 1, description: The length.}
  - {name: insured, type: boolean, nullable: false, description: Whether insured.}
"""


def visits(folder: Path, name: str, policy: str) -> tuple[Path, Path]:
    """A small table of made-up visits, and its manifest."""
    generator = random.Random(7)
    lines = ["person,ward,day,arrived,minutes,insured"]
    for number in range(1_000):
        day = f"2020-{generator.randint(1, 12):02}-{generator.randint(1, 28):02}"
        ward = generator.choice(["east", "o'neill"])
        lines.append(
            f"{number // 2},{ward},{day},{day}T{generator.randint(0, 23):02}:30:00Z,"
            f"{generator.randint(0, 100)},{generator.choice(['true', 'false'])}"
        )
    data, manifest = folder / f"{name}.csv", folder / f"{name}.yaml"
    data.write_text("\n".join(lines) + "\n")
    manifest.write_text(VISITS.replace("NAME", name).replace("POLICY", policy))
    return data, manifest
