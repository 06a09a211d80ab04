"""docs/operations.md: every setting and every metric is in it, with its true default, and its commands work."""

import re
from collections.abc import Callable
from pathlib import Path

import yaml
from prometheus_client.parser import text_string_to_metric_families
from pydantic import AliasChoices
from pydantic.fields import FieldInfo

from memcubed.settings import Settings
from memcubed.store.migrate import head_revision
from tests.conftest import StartService
from tests.docs.conftest import read_blocks

DOCUMENT = Path(__file__).parents[2] / "docs" / "operations.md"
ROW = re.compile(r"^\| `(MEMCUBED_\w+)` \| (?:`([^`]*)`|(none)) \| (.+) \|$", re.MULTILINE)
SELECTOR = re.compile(r"\b(memcubed_\w+)(?:\{([^}]*)\})?")
MATCHER = re.compile(r'(\w+)\s*(=~|!~|!=|=)\s*"([^"]*)"')
GROUPING = re.compile(r"\bby \(([^)]*)\)")
OF_OTHERS = {"memcubed_backup_timestamp_seconds"}
"""What whoever makes the back-ups writes."""


def rows() -> dict[str, tuple[str | None, str]]:
    text = DOCUMENT.read_text(encoding="utf-8")
    return {name: (default or None, meaning) for name, default, _, meaning in ROW.findall(text)}


def documented_default(field: FieldInfo) -> str | None:
    default = field.default
    if default is None or default == "":
        return None
    return f"{default:g}" if isinstance(default, float) else str(default)


def test_every_setting_is_in_the_table_with_its_default() -> None:
    settings = {f"MEMCUBED_{name}".upper(): documented_default(field) for name, field in Settings.model_fields.items()}
    assert {name: default for name, (default, _) in rows().items()} == settings


def test_other_names_of_settings_are_given() -> None:
    for name, field in Settings.model_fields.items():
        aliases = field.validation_alias.choices if isinstance(field.validation_alias, AliasChoices) else []
        _, meaning = rows()[f"MEMCUBED_{name}".upper()]
        for alias in aliases:
            assert alias == f"MEMCUBED_{name}".upper() or f"`{alias}`" in meaning


def test_the_commands_work(run_document: Callable[..., None]) -> None:
    run_document("docs/operations.md")


def test_the_revision_that_health_shows_is_this_releases() -> None:
    assert f"at revision {head_revision()}, as this release needs" in DOCUMENT.read_text(encoding="utf-8")


async def test_alerts_are_of_metrics_and_labels_that_a_fresh_service_has(start: StartService) -> None:
    (text,) = (block.text for block in read_blocks(DOCUMENT) if block.text.startswith("groups:"))
    rules = [rule for group in yaml.safe_load(text)["groups"] for rule in group["rules"]]
    assert len({rule["alert"] for rule in rules}) == len(rules)
    async with start() as api:
        root = str(api.http.base_url).removesuffix("/api/openmem/v1/")
        families = list(text_string_to_metric_families((await api.http.get(f"{root}/metrics")).text))
    series: dict[str, list[dict[str, str]]] = {}
    for family in families:
        series[family.name] = []  # of a gauge that has none at the moment
        for sample in family.samples:
            # as Prometheus names what would hide the label of its own
            labels = {"exported_job" if name == "job" else name: value for name, value in sample.labels.items()}
            series.setdefault(sample.name, []).append(labels)
    for rule in rules:
        selectors = SELECTOR.findall(rule["expr"])
        assert selectors or "up{" in rule["expr"], rule
        for name, matchers in selectors:
            if name in OF_OTHERS:
                continue
            assert name in series, rule
            wanted = MATCHER.findall(matchers)
            assert bool(wanted) == bool(matchers), rule
            known = series[name]
            assert not wanted or any(all(_matches(one, *each) for each in wanted) for one in known), rule
            grouped = {label.strip() for found in GROUPING.findall(rule["expr"]) for label in found.split(",")}
            assert all(grouped <= set(one) for one in known), rule


def _matches(labels: dict[str, str], name: str, operator: str, value: str) -> bool:
    if name not in labels:
        return False
    is_alike = re.fullmatch(value, labels[name]) is not None if "~" in operator else labels[name] == value
    return is_alike != operator.startswith("!")
