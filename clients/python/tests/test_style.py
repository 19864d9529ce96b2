"""The package is typed and written in one style; its files stay small."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


def check(*command):
    done = subprocess.run([sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_its_types_hold(tmp_path):
    pytest.importorskip("mypy")
    check("mypy", "--cache-dir", str(tmp_path))


def test_it_is_linted_and_formatted():
    pytest.importorskip("ruff")
    check("ruff", "check", "--no-cache", ".")
    check("ruff", "format", "--no-cache", "--check", "src", "tests")


def test_a_file_holds_one_idea():
    for path in (ROOT / "src").rglob("*.py"):
        assert len(path.read_text().splitlines()) <= 600, path


def test_what_is_public_is_documented():
    import inspect

    import parley

    for name in parley.__all__:
        member = getattr(parley, name)
        assert member.__doc__, name
        if inspect.isclass(member):
            own = [attribute for attribute in vars(member).items() if not attribute[0].startswith("_")]
            for attribute, value in own:
                if inspect.isfunction(value) or isinstance(value, property):
                    assert value.__doc__, f"{name}.{attribute}"


def test_a_bare_import_needs_nothing_but_what_the_package_depends_on():
    others = ("pandas", "polars", "pyarrow", "matplotlib", "sqlalchemy")
    code = f"import sys, parley, parley.dbapi; print([name for name in {others} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[]"
