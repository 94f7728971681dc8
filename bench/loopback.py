"""A sound card that hears itself: a PulseAudio server of our own whose microphone is what is played."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from bench.page import CHROMIUM_ARGUMENTS, find_chromium

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Playwright

SINK = "module-null-sink sink_name=loop rate=48000 channels=2"
# Chromium lists no monitors of outputs, so the monitor is given another name
SOURCE = "module-remap-source master=loop.monitor source_name=mic rate=48000"


def available() -> bool:
    """Whether PulseAudio is installed."""
    return shutil.which("pulseaudio") is not None and shutil.which("pactl") is not None


@contextlib.contextmanager
def loopback() -> Iterator[dict[str, str]]:
    """Run the sound card; yields the environment of programs that use it.

    Raises:
        RuntimeError: PulseAudio is not installed, or does not start.
    """
    if not available():
        raise RuntimeError("PulseAudio is not installed: apt-get install pulseaudio pulseaudio-utils")
    with tempfile.TemporaryDirectory(prefix="sound-") as folder:
        environ = {**os.environ, "XDG_RUNTIME_DIR": folder, "HOME": folder}
        environ.pop("PULSE_SERVER", None)
        socket = f"module-native-protocol-unix socket={folder}/native"
        modules = [word for module in (socket, SINK, SOURCE) for word in ("-L", module)]
        command = ["pulseaudio", "-n", "--exit-idle-time=-1", "--daemonize=no", "--log-level=error", *modules]
        with (Path(folder) / "log").open("w+") as log:
            server = subprocess.Popen(command, env=environ, stderr=log, stdout=log)
            environ["PULSE_SERVER"] = f"unix:{folder}/native"
            try:
                for command in (["pactl", "info"], ["pactl", "set-default-source", "mic"]):
                    _try(command, environ)
                yield environ
            finally:
                server.terminate()
                server.wait(10)


def hearing_browser(playwright: Playwright, environ: dict[str, str]) -> Browser:
    """A Chromium that plays to the sound card of `environ`, and sings what that hears."""
    return playwright.chromium.launch(
        executable_path=find_chromium(),
        args=[*CHROMIUM_ARGUMENTS, "--use-fake-ui-for-media-stream"],
        ignore_default_args=["--mute-audio"],
        env={**environ},
    )


def _try(command: list[str], environ: dict[str, str]) -> None:
    """Run a command until it works, for some seconds."""
    import time

    for _ in range(50):
        done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
        if done.returncode == 0:
            return
        time.sleep(0.1)
    raise RuntimeError(f"{' '.join(command)}: {done.stderr}")
