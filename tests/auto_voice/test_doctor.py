import socket
from pathlib import Path

from auto_voice.doctor import Verdict, examine
from auto_voice.settings import Settings, load_settings


def verdicts(settings: Settings) -> dict[str, Verdict]:
    return {verdict.check: verdict for verdict in examine(settings)}


def test_the_self_test_hears_the_octave_and_missing_weights_are_told(tmp_path: Path) -> None:
    settings = load_settings(environ={"AUTOVOICE_STORAGE__DATA_DIR": str(tmp_path)}).listening_on(port=0)
    found = verdicts(settings)
    assert found["self-test"].ok, found["self-test"]
    assert found["voices"].ok
    assert not found["weights"].ok
    assert "autovoice weights" in found["weights"].advice
    assert all(v.ok for name, v in found.items() if name != "weights")
    assert not list(tmp_path.rglob(".doctor"))


def test_a_taken_port_and_a_folder_that_is_none_are_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    settings = load_settings(environ={"AUTOVOICE_STORAGE__DATA_DIR": str(tmp_path / "file")})
    with socket.create_server(("127.0.0.1", 0)) as taken:
        found = verdicts(settings.listening_on(port=taken.getsockname()[1]))
    assert not found["port"].ok
    assert not found["folders"].ok
    assert "data_dir" in found["folders"].advice
