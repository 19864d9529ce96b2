"""The logins that are shared with the program `parley`."""

import json
import os
import subprocess
from pathlib import Path

import pytest

import parley


def logins_file():
    return Path(os.environ["XDG_CONFIG_HOME"]) / "parley" / "logins.json"


def test_a_login_of_the_program_is_enough_to_connect(datasite, token, tmp_path):
    environment = datasite.environment | {"XDG_CONFIG_HOME": os.environ["XDG_CONFIG_HOME"], "PARLEY_TOKEN": token}
    done = subprocess.run([datasite.program, "login", datasite.url], env=environment, capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    with parley.connect() as site:
        assert site.url == datasite.url and site.key == datasite.key and site.identity().role == "researcher"
    # The pinned key is believed, and no other.
    logins = json.loads(logins_file().read_text())
    logins["sites"][datasite.url]["publicKey"] = "A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg="
    logins_file().write_text(json.dumps(logins))
    with pytest.raises(parley.InvalidReceipt, match="pinned as"):
        parley.connect()


def test_a_login_from_python_is_one_of_the_program(datasite, token):
    with parley.login(datasite.url, token) as site:
        assert site.key == datasite.key
    assert logins_file().stat().st_mode & 0o777 == 0o600 and logins_file().parent.stat().st_mode & 0o777 == 0o700
    environment = datasite.environment | {"XDG_CONFIG_HOME": os.environ["XDG_CONFIG_HOME"]}
    del environment["PARLEY_SITE"]
    done = subprocess.run([datasite.program, "whoami"], env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0 and "pinned" in done.stdout and datasite.key in done.stdout
    logins = json.loads(logins_file().read_text())
    logins["sites"][datasite.url]["publicKey"] = "A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg="
    logins_file().write_text(json.dumps(logins))
    with pytest.raises(parley.InvalidReceipt, match="pinned as"):
        parley.login(datasite.url, token)
    with parley.login(datasite.url, token, accept_new_key=True) as site:
        assert site.key == datasite.key


def test_url_and_token_come_from_the_environment(datasite, token, monkeypatch):
    monkeypatch.setenv("PARLEY_URL", datasite.url)
    monkeypatch.setenv("PARLEY_TOKEN", token + "\n")
    with parley.connect() as site:
        assert site.identity().role == "researcher"


def test_without_anything_it_is_said_what_is_missing():
    with pytest.raises(parley.InvalidArgument, match="parley login URL"):
        parley.connect()


def test_a_token_of_one_site_is_not_given_to_another(monkeypatch):
    from parley.logins import resolve

    logins_file().parent.mkdir(mode=0o700)
    logins_file().write_text(json.dumps({"sites": {"https://a.example.org": {"token": "parley_a", "publicKey": "k"}}}))
    logins_file().chmod(0o600)
    assert resolve("https://a.example.org/", None, None, None, False).token == "parley_a"
    assert resolve("a.example.org", None, None, None, False).key == "k"
    with pytest.raises(parley.InvalidArgument, match="no token for https://b"):
        resolve("https://b.example.org", None, None, None, False)
    assert resolve("https://b.example.org", "parley_b", None, None, False).key is None


def test_a_file_that_others_may_read_or_that_is_damaged_is_refused():
    logins_file().parent.mkdir(mode=0o700)
    logins_file().write_text("{}")
    logins_file().chmod(0o644)
    with pytest.raises(parley.InvalidArgument, match="chmod 600"):
        parley.connect("https://a.example.org")
    logins_file().chmod(0o600)
    with pytest.raises(parley.InvalidArgument, match="damaged"):
        parley.connect("https://a.example.org")
