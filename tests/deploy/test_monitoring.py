"""The files of deploy/ that watch a server: their queries ask for what it tells, and are valid."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard

from scripts.torchserve.config import METRICS_CONFIG
from tests.conftest import ROOT

PROMETHEUS = ROOT / "deploy" / "prometheus"
DASHBOARD = json.loads((ROOT / "deploy/grafana/dashboard.json").read_text(encoding="utf-8"))
ALERTS = yaml.safe_load((PROMETHEUS / "alerts.yml").read_text(encoding="utf-8"))
RULES = [rule for group in ALERTS["groups"] for rule in group["rules"]]

# What Prometheus itself adds to every scrape.
BY_PROMETHEUS = {"up": {"job", "instance"}}


def told() -> dict[str, set[str]]:
    """Return the labels of each series that the metrics port tells, by its name."""
    series = {name: set(labels) for name, labels in BY_PROMETHEUS.items()}
    config = yaml.safe_load(METRICS_CONFIG.read_text(encoding="utf-8"))
    for section in ("ts_metrics", "model_metrics"):
        for kind, metrics in config[section].items():
            for metric in metrics:
                labels = {*metric["dimensions"], "Hostname", "job", "instance"}
                name = metric["name"]
                if kind == "histogram":
                    series[f"{name}_bucket"] = labels | {"le"}
                    series[f"{name}_sum"] = series[f"{name}_count"] = labels
                else:
                    series[name] = labels
    return series


def panels() -> list[dict[str, Any]]:
    return [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]


def queries() -> list[Any]:
    found: list[Any] = []
    for panel in panels():
        for target in panel["targets"]:
            expression = target["expr"].replace("$__rate_interval", "5m")
            found.append(pytest.param(expression, id=f"{panel['title']} {target['refId']}"))
    documented = (ROOT / "docs" / "observability.md").read_text(encoding="utf-8")
    block = documented.partition("```promql\n")[2].partition("```")[0]
    lines = [line for line in block.splitlines() if line and not line.startswith("#")]
    # A line that is indented belongs to the one before.
    found += re.split(r"\n(?! )", "\n".join(lines))
    return found + [pytest.param(rule["expr"], id=rule["alert"]) for rule in RULES]


@pytest.mark.parametrize("query", queries())
def test_a_query_asks_for_what_the_server_tells(query: str) -> None:
    series = told()

    asked: list[promql_parser.VectorSelector] = []
    grouped: set[str] = set()

    def visit(node: object) -> None:
        if isinstance(node, promql_parser.VectorSelector):
            asked.append(node)
        if isinstance(node, promql_parser.AggregateExpr) and node.modifier:
            grouped.update(node.modifier.labels)

    promql_parser.walk(promql_parser.parse(query), visit)

    assert asked
    for selector in asked:
        wanted = {matcher.name for matcher in selector.matchers.matchers} | (grouped - {"le"})
        assert wanted <= series[str(selector.name)], selector.name


def test_the_dashboard_has_every_metric_of_the_model() -> None:
    config = yaml.safe_load(METRICS_CONFIG.read_text(encoding="utf-8"))
    text = json.dumps(DASHBOARD)

    ours = {m["name"] for kind in config["model_metrics"].values() for m in kind}
    # Gauges that hold one batch's only; the histograms have all.
    assert {name for name in ours if name not in text} == {"HandlerTime", "PredictionTime"}


def missing_from(wanted: Any, found: Any, at: str = "") -> list[str]:
    """Return the places of what is in `wanted` and not in `found`."""
    if isinstance(wanted, dict) and isinstance(found, dict):
        return [
            place
            for key, value in wanted.items()
            for place in (
                missing_from(value, found[key], f"{at}.{key}") if key in found else [f"{at}.{key}"]
            )
        ]
    if isinstance(wanted, list) and isinstance(found, list) and len(wanted) == len(found):
        pairs = enumerate(zip(wanted, found, strict=True))
        return [place for n, (a, b) in pairs for place in missing_from(a, b, f"{at}[{n}]")]
    return [] if wanted == found else [at]


def test_grafanas_own_types_know_everything_in_the_dashboard() -> None:
    register_default_plugins()

    read = Dashboard.from_json(DASHBOARD)
    written = json.loads(json.dumps(read, cls=JSONEncoder))

    assert missing_from(DASHBOARD, written) == []


def test_the_dashboard_overlaps_nowhere() -> None:
    cells: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        own = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not own & cells, panel["title"]
        assert max(x for x, _ in own) < 24
        cells |= own
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_an_alert_says_what_is_wrong_and_what_to_do(rule: dict[str, Any]) -> None:
    assert rule["labels"]["severity"] in ("warning", "critical")
    assert set(rule["annotations"]) == {"summary", "action"}
    assert rule["alert"] in (ROOT / "docs" / "observability.md").read_text(encoding="utf-8")


def test_the_documentation_names_every_metric_of_the_model() -> None:
    text = (ROOT / "docs" / "observability.md").read_text(encoding="utf-8")
    names = {re.sub(r"_(bucket|sum|count)$", "", name) for name in told()}

    assert [name for name in names if name.startswith("cutout_") and name not in text] == []


@pytest.mark.parametrize(
    "check",
    [
        ("check", "config", PROMETHEUS / "prometheus.yml"),
        ("check", "rules", PROMETHEUS / "alerts.yml"),
        ("test", "rules", Path(__file__).with_name("alerts.test.yml")),
    ],
    ids=lambda check: " ".join(map(str, check[:2])),
)
def test_prometheus_takes_it(check: tuple[str, str, Path]) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not installed (Debian: prometheus)")

    done = subprocess.run([promtool, *check], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr
