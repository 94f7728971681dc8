import hashlib
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.errors import WeightsCorrupt, WeightsUnavailable
from pipeline.weights.download import download

CONTENT = bytes(range(256)) * 10_000
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Server(http.server.ThreadingHTTPServer):
    """Serves CONTENT, in ranges if asked to; notes what was asked for."""

    asked: list[str | None]
    cut = 0  # bytes after which the connection breaks off


class Handler(http.server.BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        asked = self.headers.get("Range")
        self.server.asked.append(asked)
        if self.path != "/file.th":
            self.send_error(404)
            return
        start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked else 0
        if start >= len(CONTENT):
            self.send_error(416)
            return
        self.send_response(206 if asked else 200)
        self.send_header("Content-Length", str(len(CONTENT) - start))
        self.end_headers()
        end = len(CONTENT) if not self.server.cut else min(len(CONTENT), start + self.server.cut)
        self.wfile.write(CONTENT[start:end])

    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server(("127.0.0.1", 0), Handler)
    server.asked = []
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def url(server: Server, name: str = "file.th") -> str:
    return f"http://127.0.0.1:{server.server_address[1]}/{name}"


def test_a_file_comes_whole_and_once(server: Server, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    for _ in range(2):
        path = download(
            url(server), tmp_path / "sub" / "file.th", SHA256[:8], lambda *state: seen.append(state)
        )
        assert path.read_bytes() == CONTENT
    assert server.asked == [None]
    assert seen[-1] == (len(CONTENT), len(CONTENT))
    assert [p.name for p in path.parent.iterdir()] == ["file.th"]


def test_it_goes_on_where_it_stopped(server: Server, tmp_path: Path) -> None:
    server.cut = 1_000_000
    target = tmp_path / "file.th"
    with pytest.raises(WeightsUnavailable, match="broke off"):
        download(url(server), target, SHA256)
    server.cut = 0
    assert download(url(server), target, SHA256).read_bytes() == CONTENT
    assert server.asked[-1] == "bytes=1000000-"
    target.unlink()
    (tmp_path / "file.th.part").write_bytes(CONTENT)
    assert download(url(server), target, SHA256).read_bytes() == CONTENT


def test_something_else_is_refused(server: Server, tmp_path: Path) -> None:
    with pytest.raises(WeightsCorrupt):
        download(url(server), tmp_path / "file.th", "00000000")
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_had_is_told(server: Server, tmp_path: Path) -> None:
    with pytest.raises(WeightsUnavailable, match="404"):
        download(url(server, "other.th"), tmp_path / "file.th", SHA256)
    with pytest.raises(WeightsUnavailable, match="cannot download"):
        download("http://127.0.0.1:9/file.th", tmp_path / "file.th", SHA256)
