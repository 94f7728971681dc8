"""Dockerfile, compose files and systemd unit: what they copy and call is there, and they are not careless."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from auto_voice.settings import load_settings
from tests.deploy.dockerfile import Stage, ancestry, read
from tests.serving import ROOT

DOCKERFILE = ROOT / "Dockerfile"
UNIT = ROOT / "deploy" / "autovoice.service"
SECRET = re.compile(r"(password|secret|token|api_?key)\s*[=:]\s*\S", re.IGNORECASE)
# Programs of Debian's minimal base, of its packages that are installed, and of our own.
KNOWN = {
    "apt-get",
    "rm",
    "groupadd",
    "useradd",
    "install",
    "python3",
    "python",
    "pip",
    "autovoice",
    "if",
    "then",
    "fi",
    "[",
}


@pytest.fixture(scope="module")
def stages() -> dict[str, Stage]:
    return read(DOCKERFILE)


@pytest.mark.parametrize("target", ["cpu", "cuda"])
def test_a_target_is_pinned_runs_as_nobody_and_is_watched(stages: dict[str, Stage], target: str) -> None:
    chain = ancestry(stages, target)
    assert re.fullmatch(r"[a-z/]+:\S*\d{8}\S*", chain[0].base), "the base image is pinned by its date"
    users = [one for stage in chain for one in stage.all("USER")]
    assert users[-1].text.split(":")[0] not in ("root", "0")
    assert [one for stage in chain for one in stage.all("HEALTHCHECK")]
    assert [one.text for stage in chain for one in stage.all("EXPOSE")] == ["5000"]
    runs = [stage.name for stage in chain for _ in stage.all("RUN")]
    assert set(runs) <= {"base", target}, "layers of a build stage"
    assert ("cuda" in runs) == (target == "cuda"), "Triton needs a compiler, and nothing else does"


def test_nothing_is_fetched_by_add_and_no_secret_stands_there(stages: dict[str, Stage]) -> None:
    for stage in stages.values():
        for one in stage.instructions:
            assert one.name != "ADD", one
            assert one.name == "RUN" or not SECRET.search(one.text), one
            assert "sudo" not in one.text, one
            assert "curl" not in one.text, one


def test_what_is_copied_is_there_and_let_through(stages: dict[str, Stage]) -> None:
    let_through = {
        line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")
    }
    for stage in stages.values():
        for one in stage.all("COPY"):
            words = one.words
            if words[0].startswith("--from="):
                assert words[0].removeprefix("--from=") in stages
                continue
            for source in words[:-1]:
                assert (ROOT / source).exists(), one
                assert source.split("/")[0] in let_through, one


def test_all_of_the_program_is_copied(stages: dict[str, Stage]) -> None:
    copied = {word for one in stages["program"].all("COPY") for word in one.words[:-1]}
    found = re.search(r"include = \[(.*)\]", (ROOT / "pyproject.toml").read_text())
    assert found is not None
    assert {str(name).rstrip("*") for name in ast.literal_eval(f"[{found[1]}]")} <= copied


def test_every_command_is_known(stages: dict[str, Stage]) -> None:
    for stage in stages.values():
        for one in stage.all("RUN"):
            for command in re.split(r"&&|;(?![^']*' \+|[^\"]*\"\s*>)", one.text):
                words = [word for word in command.split() if "=" not in word or word.startswith("-")]
                if "import tomllib" not in one.text:
                    assert words[0] in KNOWN, one


def test_what_python_runs_there_compiles(stages: dict[str, Stage]) -> None:
    codes = [
        one.words[one.words.index("-c") + 1]
        for stage in stages.values()
        for one in stage.instructions
        if one.name in ("RUN", "HEALTHCHECK") and "-c" in one.words and "python" in one.words
    ]
    assert len(codes) == 2
    for code in codes:
        compile(code, "Dockerfile", "exec")


def test_versions_of_torch_are_those_that_are_tested(stages: dict[str, Stage]) -> None:
    constraints = (ROOT / "constraints.txt").read_text().splitlines()
    named = re.findall(
        r"torch\w*==\S+", " ".join(one.text.replace(";", "") for one in stages["packages"].all("RUN"))
    )
    assert named
    assert set(named) <= set(constraints)


def test_hadolint_is_content() -> None:
    program = shutil.which("hadolint") or shutil.which("hadolint", path=str(Path(sys.executable).parent))
    if program is None:
        pytest.skip("hadolint is not installed")
    done = subprocess.run([program, "Dockerfile"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def compose(name: str) -> dict[str, Any]:
    document = yaml.safe_load((ROOT / "deploy" / name).read_text())
    assert isinstance(document, dict)
    return document


def test_compose_builds_a_target_that_is_there_and_keeps_what_matters(stages: dict[str, Stage]) -> None:
    service = compose("docker-compose.yml")["services"]["autovoice"]
    assert (ROOT / "deploy" / service["build"]["context"]).resolve() == ROOT
    assert service["build"]["target"] in stages
    named = {volume.split(":")[0] for volume in service["volumes"]}
    assert named == set(compose("docker-compose.yml")["volumes"]) == {"data", "voice_profiles", "cache"}
    assert {volume.split(":")[1] for volume in service["volumes"]} == {
        "/data",
        "/data/voice_profiles",
        "/data/cache",
    }
    assert service["healthcheck"]["test"][0] == "CMD"
    assert service["restart"] == "unless-stopped"
    assert "privileged" not in service
    gpu = compose("docker-compose.gpu.yml")["services"]["autovoice"]
    assert gpu["build"]["target"] in stages
    assert gpu["deploy"]["resources"]["reservations"]["devices"][0]["capabilities"] == ["gpu"]


def test_settings_named_in_images_and_units_are_settings(stages: dict[str, Stage]) -> None:
    environ: dict[str, str] = {}
    for stage in stages.values():
        for one in stage.all("ENV"):
            environ |= dict(word.split("=", 1) for word in one.words)
    service = compose("docker-compose.yml")["services"]["autovoice"]
    environ |= {
        name: re.sub(r"\$\{\w+:-(\w*)\}", r"\1", value) for name, value in service["environment"].items()
    }
    for line in UNIT.read_text().splitlines():
        if line.startswith("Environment="):
            name, _, value = line.removeprefix("Environment=").partition("=")
            environ[name] = value
    assert environ.pop("AUTOVOICE_CONFIG") == "/etc/autovoice/config.yaml"
    settings = load_settings(ROOT / "config" / "production.yaml", environ)
    stop = re.search(r"TimeoutStopSec=(\d+)", UNIT.read_text())
    assert stop is not None
    for seconds in (stop[1], service["stop_grace_period"].rstrip("s")):
        assert int(seconds) >= settings.server.drain_seconds + 20


def test_systemd_takes_the_unit(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed")
    unit = tmp_path / "autovoice.service"
    unit.write_text(UNIT.read_text().replace("/opt/autovoice/.venv/bin/autovoice", "/bin/true"))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(unit)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert not done.stderr.strip()
    for wanted in ("NoNewPrivileges=yes", "ProtectSystem=strict", "StateDirectory=autovoice", "Type=exec"):
        assert wanted in UNIT.read_text()
