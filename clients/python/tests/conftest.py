"""What tests share: one datasite for all, and a researcher of her own for whoever asks for one."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from datasites import EXAMPLE, REPOSITORY, Datasite, binary, visits

import parley

GOLDEN = REPOSITORY / "Tests" / "DatasiteProtocolTests" / "Fixtures"
GOLDEN_KEY = "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="


@pytest.fixture(autouse=True)
def _no_logins(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """No test sees, or changes, the logins of whoever runs it."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path_factory.mktemp("config")))
    for name in ("PARLEY_URL", "PARLEY_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("MPLBACKEND", "Agg")


@pytest.fixture(scope="session")
def program() -> Path:
    found = binary()
    if found is None:
        pytest.skip("the program parley is not there: make build, or set PARLEY_BIN")
    return found


@pytest.fixture(scope="session")
def datasite(program: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Datasite]:
    """The demonstration's tables, a table whose policy wants approval (`votes`), and one that is trained on (`clinic`)."""
    folder = tmp_path_factory.mktemp("datasite")
    site = Datasite(folder, program)
    for name in ("randhie", "plans"):
        data = EXAMPLE / ("randhie.csv.gz" if name == "randhie" else "plans.csv")
        site.add(data, EXAMPLE / ("manifest.yaml" if name == "randhie" else "plans.yaml"))
    site.add(*visits(folder, "votes", "{loss: zcdp, delta: 1e-6, total: {epsilon: 100}, approval: owner}"))
    engines = "{questions: {}, training: {noise: [0.5, 50], clip: [0.01, 10]}}"
    site.add(*visits(folder, "clinic", f"{{loss: renyi, delta: 1e-5, total: {{epsilon: 50}}, engines: {engines}}}"))
    site.start()
    yield site
    site.stop()


_numbers = itertools.count(1)


@pytest.fixture
def token(datasite: Datasite) -> str:
    """A researcher's token, whose budget nobody else spends."""
    return datasite.user(f"researcher-{next(_numbers)}")


@pytest.fixture
def connect(datasite: Datasite, token: str) -> Iterator[Callable[..., parley.Site]]:
    """Connects as that researcher, to the datasite or to another URL."""
    sites: list[parley.Site] = []

    def connected(url: str | None = None, **options: object) -> parley.Site:
        site = parley.connect(url or datasite.url, token, key=datasite.key, **options)  # type: ignore[arg-type]
        sites.append(site)
        return site

    yield connected
    for site in sites:
        site.close()


@pytest.fixture
def site(connect: Callable[..., parley.Site]) -> parley.Site:
    return connect()


@pytest.fixture
def spent(datasite: Datasite, site: parley.Site) -> Callable[[], dict[str, float]]:
    """What the researcher spent, by population."""

    def amounts() -> dict[str, float]:
        return {
            report.population: sum(entry.spent.rho or entry.spent.epsilon_at_delta or 0 for entry in report.spending or ())
            for report in site.budget()
        }

    return amounts


@pytest.fixture(scope="session")
def golden() -> Callable[[str], bytes]:
    """The files that the Swift client and server are tested with, made apart from both."""
    if not GOLDEN.exists():
        pytest.skip(f"the golden files are not there: {GOLDEN}")

    def read(name: str) -> bytes:
        return (GOLDEN / name).read_bytes()

    return read


@pytest.fixture(scope="session")
def golden_question(golden: Callable[[str], bytes]) -> parley.Question:
    members = json.loads(golden("request.json"))
    return parley.Question(members["dataset"], members["sql"], parley.Epsilon(members["epsilon"]), groups_per_unit=members["groupsPerUnit"])
