"""Every expression of the dashboard and of the alerts names what the server really shows."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from aiohttp.test_utils import TestClient, TestServer
from prometheus_client.parser import text_string_to_metric_families

from auto_voice.settings import load_settings
from auto_voice.web.app import create_app

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
NAME = re.compile(r"\bautovoice_[a-z0-9_]+")
LABEL = re.compile(r"(autovoice_[a-z0-9_]+)\{([a-z_]+)=\"([^\"]+)\"")
GROUPED = re.compile(r"by \(([a-z, ]+)\)")


def panels() -> list[str]:
    dashboard = json.loads((DEPLOY / "grafana" / "autovoice.json").read_text())
    return [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]


def alerts() -> list[str]:
    rules = yaml.safe_load((DEPLOY / "prometheus" / "rules.yml").read_text())
    return [rule["expr"] for group in rules["groups"] for rule in group["rules"]]


async def _scrape(folder: Path) -> str:
    environ = {"AUTOVOICE_STORAGE__DATA_DIR": str(folder)}
    client: TestClient[Any, Any] = TestClient(TestServer(create_app(load_settings(environ=environ))))
    await client.start_server()
    async with client.get("/health"):
        pass
    async with client.get("/metrics") as response:
        text = await response.text()
    await client.close()
    return text


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[dict[str, str]]]:
    """What a server shows: the labels of all samples, by name."""
    text = asyncio.run(_scrape(tmp_path_factory.mktemp("watched")))
    found: dict[str, list[dict[str, str]]] = {}
    for family in text_string_to_metric_families(text):
        found.setdefault(family.name, [])
        for sample in family.samples:
            found.setdefault(sample.name, []).append(sample.labels)
        if family.type == "counter":
            found.setdefault(f"{family.name}_total", [])  # one with labels that nothing has counted yet
    return found


@pytest.mark.parametrize("expression", [*panels(), *alerts()])
def test_an_expression_names_what_there_is(expression: str, shown: dict[str, list[dict[str, str]]]) -> None:
    names = NAME.findall(expression)
    assert names or expression.startswith("up{")
    for name in names:
        assert name in shown, name
    for name, label, value in LABEL.findall(expression):
        if shown[name] and label != "reason":  # reasons come with what they count
            known = {labels.get(label) for labels in shown[name]}
            assert value in known or (label == "status" and None not in known), (name, label, value)
    for group in GROUPED.findall(expression):
        for label in group.replace(" ", "").split(","):
            if label not in ("instance", "reason") and shown[names[0]]:
                assert all(label in labels for labels in shown[names[0]]), (names[0], label)


def test_prometheus_takes_the_rules() -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("no promtool is installed (Debian: prometheus)")
    for command, file in (("rules", "rules.yml"), ("config", "prometheus.yml")):
        done = subprocess.run(
            [promtool, "check", command, str(DEPLOY / "prometheus" / file)],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
