from pathlib import Path

import pytest

from auto_voice.settings import DEFAULTS, SettingsError, load_settings


def test_the_defaults_serve_this_machine_only_and_keep_data_in_the_home_folder() -> None:
    settings = load_settings(environ={})
    assert (settings.server.host, settings.server.port) == ("127.0.0.1", 5000)
    assert settings.storage.data_dir == Path.home() / ".local" / "share" / "autovoice"
    assert settings.storage.models_dir == settings.storage.data_dir / "models"


def test_xdg_moves_the_data() -> None:
    storage = load_settings(environ={"XDG_DATA_HOME": "/elsewhere"}).storage
    assert storage.data_dir == Path("/elsewhere/autovoice")
    assert storage.voice_profiles_dir == Path("/elsewhere/autovoice/voice_profiles")


def test_a_file_beats_the_defaults_and_the_environment_beats_the_file(tmp_path: Path) -> None:
    file = tmp_path / "own.yaml"
    file.write_text("server: {port: 6000, host: 0.0.0.0}\nlive: {block_ms: 20}\n")
    settings = load_settings(
        file, {"AUTOVOICE_SERVER__PORT": "7000", "AUTOVOICE_STORAGE__MODELS_DIR": "/models"}
    )
    assert (settings.server.host, settings.server.port, settings.live.block_ms) == ("0.0.0.0", 7000, 20)
    assert settings.storage.models_dir == Path("/models")
    assert settings.live.capacity == load_settings(environ={}).live.capacity


def test_the_environment_names_a_file_unless_one_is_given(tmp_path: Path) -> None:
    named, given = tmp_path / "named.yaml", tmp_path / "given.yaml"
    named.write_text("server: {port: 6001}")
    given.write_text("server: {port: 6002}")
    environ = {"AUTOVOICE_CONFIG": str(named)}
    assert load_settings(environ=environ).server.port == 6001
    assert load_settings(given, environ).server.port == 6002


def test_the_example_for_production_is_valid() -> None:
    settings = load_settings(DEFAULTS.with_name("production.yaml"), {})
    assert settings.server.host == "0.0.0.0"
    assert settings.logging.format == "json"


@pytest.mark.parametrize(
    ("environ", "message", "suggestion"),
    [
        ({"AUTOVOICE_SERVER__PROT": "1"}, "server.prot", "'port'"),
        ({"AUTOVOICE_STORAGE__DATADIR": "/x"}, "storage.datadir", "'data_dir'"),
        ({"AUTOVOICE_SEVER__PORT": "1"}, "sever", "'server'"),
        ({"AUTOVOICE_LIVE__ZZZ": "1"}, "live.zzz", "capacity"),
    ],
)
def test_an_unknown_name_is_refused_with_the_nearest_known_one(
    environ: dict[str, str], message: str, suggestion: str
) -> None:
    with pytest.raises(SettingsError) as caught:
        load_settings(environ=environ)
    assert message in caught.value.message
    assert suggestion in caught.value.suggestions[0]


@pytest.mark.parametrize(
    ("name", "value", "where"),
    [
        ("SERVER__PORT", "65536", "server.port"),
        ("SERVER__PORT", "x", "server.port"),
        ("SERVER__HOST", "123", "server.host"),
        ("SERVER__PORT__X", "1", "server.port"),
        ("STORAGE", "3", "storage"),
        ("SERVER", "[", "server"),
        ("LIVE__BLOCK_MS", "11", "live.block_ms"),
        ("LIVE__MAX_STEP_FRACTION", "1.5", "live.max_step_fraction"),
        ("LOGGING__LEVEL", "LOUD", "logging.level"),
    ],
)
def test_a_bad_value_is_refused_by_name(name: str, value: str, where: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load_settings(environ={f"AUTOVOICE_{name}": value})
    assert caught.value.message.startswith(f"{where}: ")


def test_text_that_yaml_would_choke_on_is_text() -> None:
    assert load_settings(environ={"AUTOVOICE_SERVER__HOST": "*"}).server.host == "*"
    assert load_settings(environ={"AUTOVOICE_SERVER__HOST": "2026-13-45"}).server.host == "2026-13-45"
    data = load_settings(environ={"AUTOVOICE_STORAGE__DATA_DIR": "2026"}).storage
    assert data.temp_dir == Path("2026/temp")


@pytest.mark.parametrize(
    "content",
    [
        b"server: {port: 2026-13-45}",
        b"[" * 10_000,
        b"5: x",
        b"server: [",
        b"\xff\xfe\x00",
        b"- a list",
        b"server:",
        b"storage: 1",
    ],
)
def test_a_broken_file_is_refused(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "broken.yaml"
    file.write_bytes(content)
    with pytest.raises(SettingsError):
        load_settings(file, {})


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"nowhere\.yaml"):
        load_settings(tmp_path / "nowhere.yaml", {})


def test_settings_are_frozen_and_may_listen_elsewhere() -> None:
    settings = load_settings(environ={})
    with pytest.raises(ValueError, match="frozen"):
        settings.server.port = 1  # type: ignore[misc]
    elsewhere = settings.listening_on(port=0)
    assert (elsewhere.server.host, elsewhere.server.port, settings.server.port) == ("127.0.0.1", 0, 5000)
    assert elsewhere.storage == settings.storage
    with pytest.raises(SettingsError, match=r"server\.port"):
        settings.listening_on(port=65_536)


def test_a_typing_error_in_a_preset_is_explained(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text("quality: {presets: {fast: {separation_modl: spleeter}}}")
    with pytest.raises(SettingsError, match=r"quality\.presets\.fast") as caught:
        load_settings(file, environ={})
    assert "separation_model" in caught.value.suggestions[0] or "separation" in str(caught.value)


def test_ice_servers_by_environment_and_without_their_credentials_in_errors() -> None:
    name = "AUTOVOICE_LIVE__ICE_SERVERS"
    servers = '[{urls: ["turn:turn.example.org"], username: ann, credential: hush}]'
    assert load_settings(environ={name: servers}).live.ice_servers[0].credential == "hush"
    for wrong in (servers.replace("turn:", "http:"), servers.replace("username", "user"), "hush"):
        with pytest.raises(SettingsError) as caught:
            load_settings(environ={name: wrong})
        assert "hush" not in f"{caught.value.message} {caught.value.suggestions}"
