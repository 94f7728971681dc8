from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from auto_voice.configuration import SECRET, Current, shown
from auto_voice.logs import set_up_logging
from auto_voice.settings import DEFAULTS, REFUSED, Settings, SettingsError, load_settings, load_with_sources
from bench.service import Service

CONFIG = DEFAULTS.parent


@pytest.mark.parametrize("name", ["production", "gpu_tuning", "cache_tuning", "concurrency_tuning"])
def test_every_file_that_is_shipped_is_good(name: str) -> None:
    load_settings(CONFIG / f"{name}.yaml", {})


def test_files_are_laid_over_each_other() -> None:
    both = Path(f"{CONFIG / 'production.yaml'}{os.pathsep}{CONFIG / 'cache_tuning.yaml'}")
    settings = load_settings(both, {})
    assert settings.server.host == "0.0.0.0"
    assert settings.storage.max_cache_size_gb == 50


def test_each_value_says_where_it_comes_from(tmp_path: Path) -> None:
    file = tmp_path / "own.yaml"
    file.write_text(
        "server: {port: 6000}\ndatabase: {url: 'postgresql+psycopg://me:secret@host/db'}\n"
        "live: {ice_servers: [{urls: ['turn:x'], credential: hush}]}\n"
    )
    lines = {line[0]: line[1:] for line in shown(*load_with_sources(file, {"AUTOVOICE_LIVE__CAPACITY": "7"}))}
    assert lines["server.port"] == ("6000", str(file))
    assert lines["live.capacity"] == ("7", "AUTOVOICE_LIVE__CAPACITY")
    assert lines["server.timeout"] == ("300.0", "default.yaml")
    assert lines["quality.presets.fast.separation_model"] == ("spleeter", "default.yaml")
    assert lines["storage.data_dir"][1] == "the home folder"
    assert lines["storage.cache_dir"][1] == "default.yaml" or "data_dir" in lines["storage.cache_dir"][1]
    assert lines["database.url"][0] == lines["live.ice_servers"][0] == SECRET
    assert "hush" not in str(lines) and "secret@" not in str(lines)


@pytest.mark.parametrize("pattern", REFUSED)
def test_what_is_known_and_not_there_is_refused_with_the_reason(pattern: str, tmp_path: Path) -> None:
    names = pattern.replace("*", "fast").split(".")
    text = "".join("  " * depth + f"{name}:\n" for depth, name in enumerate(names[:-1]))
    file = tmp_path / "old.yaml"
    file.write_text(f"{text}{'  ' * (len(names) - 1)}{names[-1]}: 1\n")
    with pytest.raises(SettingsError, match="not a setting here") as caught:
        load_settings(file, {})
    assert REFUSED[pattern] in caught.value.message


@pytest.mark.parametrize(
    "text",
    [
        "quality: {default_preset: fast, allow_fast_preset: false}",
        "gpu: {device: tpu}",
        "gpu: {device_id: -1}",
        "server: {timeout: 0}",
        "logging: {max_bytes: 10}",
    ],
)
def test_values_that_cannot_be_are_refused(text: str, tmp_path: Path) -> None:
    file = tmp_path / "bad.yaml"
    file.write_text(text)
    with pytest.raises(SettingsError):
        load_settings(file, {})


def test_a_reload_takes_what_it_can_and_tells_of_the_rest(tmp_path: Path) -> None:
    file = tmp_path / "own.yaml"
    file.write_text("limits: {max_song_duration_s: 60}\n")

    def read() -> Settings:
        return load_settings(file, {})

    current = Current(read(), read)
    heard: list[Settings] = []
    current.listeners.append(heard.append)
    file.write_text(
        "limits: {max_song_duration_s: 90, concurrent_conversions: 3}\nserver: {port: 1}\n"
        "quality: {presets: {fast: {separation_shifts: 5}}}\nlogging: {level: DEBUG}\n"
    )
    taken, waiting = current.reload()
    assert taken == ["limits.max_song_duration_s", "logging.level", "quality.presets.fast.separation_shifts"]
    assert waiting == ["limits.concurrent_conversions", "server.port"]
    assert current.settings.limits.max_song_duration_s == 90
    assert current.settings.limits.concurrent_conversions == 2
    assert current.settings.server.port == 5000
    assert heard == [current.settings]
    file.write_text("limits: {nonsense: 1}\n")
    with pytest.raises(SettingsError):
        current.reload()
    current.on_signal()  # does not raise
    assert current.settings is heard[0]


def test_logs_rotate_and_are_json(tmp_path: Path) -> None:
    file = tmp_path / "logs" / "app.log"
    settings = load_settings(
        environ={"AUTOVOICE_LOGGING__FILE": str(file), "AUTOVOICE_LOGGING__BACKUP_COUNT": "2"}
    ).logging.model_copy(update={"max_bytes": 2000})
    before = logging.getLogger().handlers[:]
    try:
        set_up_logging(settings)
        for i in range(100):
            logging.getLogger("a.test").warning("line %d of \u2028 a \n forged line", i)
        set_up_logging(settings, part="worker1")
        logging.getLogger("a.test").warning("of a worker")
    finally:
        for handler in logging.getLogger().handlers[:]:
            logging.getLogger().removeHandler(handler)
            handler.close()
        for handler in before:
            logging.getLogger().addHandler(handler)
    assert sorted(path.name for path in file.parent.iterdir()) == [
        "app.log",
        "app.log.1",
        "app.log.2",
        "app.worker1.log",
    ]
    lines = [json.loads(line) for line in file.with_name("app.log.1").read_text().splitlines()]
    assert {line["levelname"] for line in lines} == {"WARNING"}


def run(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "auto_voice.cli", *arguments],
        env={**os.environ, "COLUMNS": "200", **environ},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_command_checks_and_shows(tmp_path: Path) -> None:
    good = run("config", "check", "--config", str(CONFIG / "production.yaml"))
    assert (good.returncode, "good" in good.stdout) == (0, True)
    bad = run("config", "check", AUTOVOICE_SERVER__PROT="1")
    assert bad.returncode == 2
    assert "did you mean 'port'" in bad.stderr
    told = json.loads(run("config", "show", "--json", "--changed", AUTOVOICE_SERVER__PORT="81").stdout)
    assert {"name": "server.port", "value": "81", "source": "AUTOVOICE_SERVER__PORT"} in told


def test_a_running_server_reads_its_files_again_on_sighup(tmp_path: Path) -> None:
    file = tmp_path / "own.yaml"
    file.write_text("live: {ice_servers: []}\n")
    service = Service(tmp_path)
    service.environment["AUTOVOICE_CONFIG"] = str(file)

    def told() -> object:
        with urllib.request.urlopen(f"{service.url}/api/v1/live/ice-servers", timeout=5) as answer:
            return json.load(answer)["ice_servers"]

    with service:
        assert service.process is not None
        assert told() == []
        file.write_text("live: {ice_servers: [{urls: ['stun:stun.example.org']}], block_ms: 20}\n")
        service.process.send_signal(signal.SIGHUP)
        deadline = time.monotonic() + 20
        while told() == [] and time.monotonic() < deadline:
            time.sleep(0.1)
        assert told() == [{"urls": ["stun:stun.example.org"]}]
        file.write_text("live: {nonsense: 1}\n")
        service.process.send_signal(signal.SIGHUP)
        while "not reloaded" not in service.log.read_text() and time.monotonic() < deadline:
            time.sleep(0.1)
        assert told() == [{"urls": ["stun:stun.example.org"]}]
    log = service.log.read_text()
    assert "reloaded: live.ice_servers" in log
    assert "need a restart: live.block_ms" in log
