"""What is not documented does not exist: every route and every metric of a running service is in the docs."""

from pathlib import Path

from tests.support.api import Api

DOCS = Path(__file__).parents[2] / "docs"


def root(api: Api) -> str:
    return str(api.http.base_url).removesuffix("/api/openmem/v1/")


async def test_every_metric_is_in_the_operators_manual(api: Api) -> None:
    manual = (DOCS / "operations.md").read_text(encoding="utf-8")
    exposed = (await api.http.get(f"{root(api)}/metrics")).text
    names = {line.split()[2] for line in exposed.splitlines() if line.startswith("# TYPE ")}
    names = {name for name in names if not name.endswith("_created")}
    assert names
    assert {name for name in names if name not in manual and name.removesuffix("_total") not in manual} == set()


async def test_every_route_is_in_the_manuals(api: Api) -> None:
    manuals = "".join((DOCS / name).read_text(encoding="utf-8") for name in ("api.md", "operations.md"))
    paths = (await api.http.get(f"{root(api)}/openapi.json")).json()["paths"]
    assert {path for path in paths if path.removeprefix("/api/openmem/v1/") not in manuals} == set()
