"""The logins that this package shares with the program `parley`: a token a URL, and the key that was pinned then.

`$XDG_CONFIG_HOME/parley/logins.json` (else `~/.config/parley`), mode 0600 in a folder of mode 0700.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .errors import InvalidArgument
from .wire import site_url


@dataclass(frozen=True)
class Login:
    """Where a datasite is, and how to reach and trust it."""

    url: str
    token: str | None = field(repr=False)
    key: str | None
    certificate_authority: str | None


def _file() -> Path:
    base = os.environ.get("XDG_CONFIG_HOME", "")
    folder = Path(base) if base.startswith("/") else Path.home() / ".config"
    return folder / "parley" / "logins.json"


def _load() -> dict[str, Any]:
    path = _file()
    try:
        text = path.read_bytes()
        mode = path.stat().st_mode
    except FileNotFoundError:
        return {"sites": {}}
    if mode & 0o077:
        raise InvalidArgument(f"{path} can be read by others", f"it holds access tokens; run: chmod 600 {path}")
    try:
        logins = json.loads(text)
    except ValueError:
        logins = None
    if not isinstance(logins, dict) or not isinstance(logins.get("sites"), dict):
        raise InvalidArgument(f"{path} is damaged", "move it away and log in again: parley login URL")
    return logins


def resolve(url: str | None, token: str | None, key: str | None, certificate_authority: str | None, allow_plain_http: bool) -> Login:
    """Completes what was given by `$PARLEY_URL`, `$PARLEY_TOKEN` and the logins. A login's token goes to its own URL alone."""
    logins = _load()
    url = url or os.environ.get("PARLEY_URL") or logins.get("current")
    if not url:
        raise InvalidArgument(
            "it is not said where the datasite is",
            'parley.connect("https://data.example.org", token=...), or log in once: parley login URL',
        )
    url = site_url(url, True, allow_plain_http)
    known = logins["sites"].get(url, {})
    token = (token or os.environ.get("PARLEY_TOKEN") or known.get("token") or "").strip()
    if not token:
        raise InvalidArgument(
            f"there is no token for {url}", "give it: token=..., or log in once: parley login URL; the site's owner makes one"
        )
    if not (token.startswith("parley_") and len(token) <= 200):
        # What was given may be a password that was pasted by mistake: it is not repeated.
        raise InvalidArgument("what was given is no token of a datasite", "a token starts with parley_; of a file give what is in it")
    return Login(
        url,
        token,
        key or known.get("publicKey"),
        certificate_authority or known.get("certificateAuthority"),
    )


def remember(login: Login, *, site_name: str, user: str, role: str) -> None:
    """Keeps a login, in the form that the program `parley` reads, and makes it the current one."""
    logins = _load()
    entry = {"token": login.token, "publicKey": login.key, "siteName": site_name, "user": user, "role": role}
    if login.certificate_authority is not None:
        entry["certificateAuthority"] = os.path.abspath(login.certificate_authority)
    logins["sites"][login.url] = entry
    logins["current"] = login.url
    path = _file()
    path.parent.parent.mkdir(parents=True, exist_ok=True)
    path.parent.mkdir(mode=0o700, exist_ok=True)
    temporary = path.with_name(f"{path.name}.{os.getpid()}.new")
    temporary.unlink(missing_ok=True)
    with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump(logins, file, indent=2, sort_keys=True)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
