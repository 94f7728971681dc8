"""A real Firefox, driven by Mozilla's own client, on a sound card that hears what it plays."""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from marionette_driver.errors import MarionetteException
from marionette_driver.marionette import Marionette

from bench.service import free_port
from tests.serving import until

PATIENCE_S = 60
PREFERENCES = {
    "browser.download.dir": '"{folder}"',
    "browser.download.folderList": "2",
    "marionette.port": "{port}",
    "media.autoplay.default": "0",
    "media.navigator.permission.disabled": "true",
    "media.peerconnection.ice.loopback": "true",  # the server is on this machine
    "media.peerconnection.ice.obfuscate_host_addresses": "false",
}


def find_firefox() -> str | None:
    """The first installed Firefox on the PATH; not a snap, which sees no temporary folders."""
    found = shutil.which("firefox-esr") or shutil.which("firefox")
    return None if found is None or Path("/snap/bin/firefox").exists() else found


class Firefox:
    """One tab."""

    def __init__(self, client: Any, folder: Path) -> None:
        self._client = client
        self.folder = folder  # where downloads go

    def open(self, url: str) -> None:
        self._client.navigate(url)

    def run(self, script: str, *arguments: object) -> Any:
        """What a function with this body returns in the page."""
        return self._client.execute_script(script, script_args=arguments, sandbox=None)

    def snapshot(self) -> dict[str, Any]:
        """What the page shows, as figures."""
        found: dict[str, Any] = self.run("return autovoice.snapshot()")
        return found

    def wait(self, holds: Callable[[], object], seconds: float = 20) -> None:
        end = time.monotonic() + seconds
        while not holds():
            assert time.monotonic() < end, f"it never happened; the page says {self.text('body')}"
            time.sleep(0.05)

    def wait_for(self, selector: str, seconds: float = 20) -> None:
        self.wait(lambda: self.run("return !!document.querySelector(arguments[0])", selector), seconds)

    def click(self, selector: str) -> None:
        self.wait_for(selector)
        self._client.find_element("css selector", selector).click()

    def fill(self, selector: str, value: str) -> None:
        """Change a field as a hand would."""
        change = "const field = document.querySelector(arguments[0]); field.value = arguments[1];"
        tell = (
            "for (const kind of ['input', 'change']) field.dispatchEvent(new Event(kind, { bubbles: true }));"
        )
        self.run(change + tell, selector, value)

    def text(self, selector: str) -> str:
        return str(self.run("return document.querySelector(arguments[0]).innerText", selector))

    def downloaded(self, selector: str) -> Path:
        """Follow a link to a file."""
        path = self.folder / str(self.run("return document.querySelector(arguments[0]).download", selector))
        self.click(selector)
        self.wait(lambda: path.exists() and path.stat().st_size > 0 and not any(self.folder.glob("*.part")))
        return path


@contextlib.contextmanager
def firefox(environ: Mapping[str, str]) -> Iterator[Firefox]:
    """Run Firefox with the sound card of `environ`."""
    program = find_firefox()
    assert program is not None
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="firefox-", ignore_cleanup_errors=True) as profile:
        folder = Path(profile) / "downloads"
        folder.mkdir()
        lines = (f'user_pref("{k}", {v.format(port=port, folder=folder)});\n' for k, v in PREFERENCES.items())
        (Path(profile) / "user.js").write_text("".join(lines))
        command = [program, "--headless", "--no-remote", "--marionette", "--profile", profile]
        browser = subprocess.Popen(
            command, env=dict(environ), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            until(lambda: _listens(port, browser), PATIENCE_S)  # Marionette would leave its own tries open
            client = Marionette(host="127.0.0.1", port=port, socket_timeout=PATIENCE_S)
            client.start_session()
            yield Firefox(client, folder)
            with contextlib.suppress(MarionetteException, OSError):  # of one that stands still
                client.delete_session()
        finally:
            browser.terminate()
            try:
                browser.wait(10)
            except subprocess.TimeoutExpired:
                browser.kill()
                browser.wait()


def _listens(port: int, browser: subprocess.Popen[bytes]) -> bool:
    assert browser.poll() is None, "Firefox ended at once"
    try:
        socket.create_connection(("127.0.0.1", port)).close()
    except ConnectionRefusedError:
        return False
    return True
