import gc
from pathlib import Path
from typing import Any

import pytest

from auto_voice.backup import make_backup, restore
from auto_voice.settings import load_settings
from auto_voice.storage.errors import NotMeasured, NotYourProfile, ProfileNotFound
from auto_voice.storage.profiles import PICTURE, ProfileStore
from auto_voice.storage.rvc_voices import Networks, settings_of
from auto_voice.voice_import import Brought, Parent, import_voice, merge_voices
from bench.untrained import write_content_vec
from pipeline.content_vec.names import Sizes
from pipeline.converters.rvc.architecture import VoiceModelUnusable
from pipeline.converters.rvc.voice import RvcVoice
from tests.checkpoints import size_of, write
from tests.pipeline.converters.rvc.indices import make


@pytest.fixture
def store(tmp_path: Path) -> ProfileStore:
    return ProfileStore(tmp_path / "voice_profiles", models_dir=tmp_path / "models")


def bring(store: ProfileStore, tmp_path: Path, seed: int = 0, index: bool = False, **settings: Any) -> str:
    model, features = write(tmp_path / f"{seed}.pth", seed=seed), tmp_path / "features"
    features.write_bytes(make(dims=768).bytes())
    with store.new_folder() as folder:
        facts = import_voice(Brought(model, features if index else None, None, settings), folder.path)
        return str(folder.keep(facts, "ann", f"Voice {seed}")["profile_id"])


def sung(store: ProfileStore, profile_id: str) -> RvcVoice:
    voice = store.voice(profile_id)
    assert isinstance(voice, RvcVoice)
    return voice


def test_all_who_sing_a_voice_share_its_network(store: ProfileStore, tmp_path: Path) -> None:
    profile_id = bring(store, tmp_path, index=True, pitch_semitones=3)
    first = sung(store, profile_id)
    assert (first.name, first.voice_id, first.settings.pitch_semitones) == ("Voice 0", profile_id, 3)
    assert first.retrieval is not None
    store.change(profile_id, "ann", profile_name="Ann", settings={"pitch_semitones": 5, "median_f0_hz": 200})
    second = sung(store, profile_id)
    assert second.synthesiser is first.synthesiser
    assert second.retrieval is first.retrieval
    assert (second.name, second.settings.pitch_semitones, second.settings.median_f0_hz) == ("Ann", 5, 200)


def test_what_nobody_sings_is_kept_up_to_some_bytes(store: ProfileStore, tmp_path: Path) -> None:
    ids = [bring(store, tmp_path, seed) for seed in range(3)]
    folders = [store.files(profile_id) for profile_id in ids]
    size = Networks().get("a", folders[0]).size
    few = Networks(kept_bytes=2 * size)
    networks = {
        profile_id: id(few.get(profile_id, folder).synthesiser)
        for profile_id, folder in zip(ids, folders, strict=True)
    }
    assert id(few.get(ids[2], folders[2]).synthesiser) == networks[ids[2]]
    assert list(few._kept) == ids[1:]
    sung_now = few.get(ids[1], folders[1]).synthesiser
    few.forget(ids[1])
    assert few.get(ids[1], folders[1]).synthesiser is sung_now  # somebody still sings it
    few.forget(ids[1])
    del sung_now
    gc.collect()
    assert ids[1] not in few._there


def test_an_index_is_there_again_after_only_the_network_was_in_use(store: ProfileStore, tmp_path: Path) -> None:
    profile_id = bring(store, tmp_path, index=True)
    network = sung(store, profile_id).synthesiser
    store.networks.forget(profile_id)
    gc.collect()
    again = sung(store, profile_id)
    assert again.synthesiser is network
    assert again.retrieval is not None


def test_the_listing_says_what_a_voice_needs(store: ProfileStore, tmp_path: Path) -> None:
    profile_id = bring(store, tmp_path)
    command = {"weights": "contentvec", "command": "autovoice weights contentvec"}
    assert store.get(profile_id)["needs"] == [command]
    assert ProfileStore(tmp_path / "voice_profiles").get(profile_id)["needs"] == [command]
    write_content_vec(tmp_path / "models" / "contentvec", Sizes(32, 16, (8,) * 7, 4, 64, 8, 4))
    assert store.get(profile_id)["needs"] == []
    assert all(profile["needs"] == [] for profile in store.list()[0])
    assert store.get("aria")["kind"] == "recording"


def test_only_its_owner_changes_a_voice(store: ProfileStore, tmp_path: Path) -> None:
    profile_id = bring(store, tmp_path)
    before = store.get(profile_id)
    for user in ("bob", None):
        with pytest.raises(NotYourProfile):
            store.change(profile_id, user, profile_name="Mine")
        with pytest.raises(NotYourProfile):
            store.change_picture(profile_id, user, b"")
    with pytest.raises(NotYourProfile, match="built-in"):
        store.change("aria", "ann", profile_name="Mine")
    assert store.get(profile_id) == before
    with pytest.raises(NotMeasured, match="RVC voice"):
        store.measured_voice(profile_id)
    assert store.measured_voice("aria").voice_id == "aria"


def test_pictures_have_an_address_that_changes_with_them(store: ProfileStore, tmp_path: Path) -> None:
    profile_id = bring(store, tmp_path)
    assert store.get(profile_id)["picture_url"] is None
    told = store.change_picture(profile_id, "ann", b"png")
    assert told["picture_url"].startswith(f"/api/v1/voice/profiles/{profile_id}/picture?v=")
    assert (store.files(profile_id) / PICTURE).read_bytes() == b"png"
    assert store.change_picture(profile_id, "ann", None)["picture_url"] is None
    assert store.change_picture(profile_id, "ann", None)["picture_url"] is None
    with pytest.raises(ProfileNotFound):
        store.files("aria")


def test_damaged_voices_are_not_found(store: ProfileStore, tmp_path: Path) -> None:
    for damage in ("model", "settings", "speaker", "index"):
        profile_id = bring(store, tmp_path, index=True)
        folder = store.files(profile_id)
        if damage in ("model", "index"):
            (folder / f"{damage}.safetensors").write_bytes(b"nothing")
        else:
            store.change(profile_id, "ann", settings=[1] if damage == "settings" else {"speaker": 99})
        with pytest.raises(ProfileNotFound):
            store.voice(profile_id)


def test_an_import_that_fails_leaves_nothing(store: ProfileStore, tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no index")
    good = write(tmp_path / "good.pth")
    for brought in (
        Brought(tmp_path / "text", None, None, {}),
        Brought(good, tmp_path / "text", None, {}),
        Brought(good, None, None, {"speaker": 3}),
        Brought(good, None, None, {"loudness": 3}),
        Brought(good, None, None, {"protect": "x"}),
    ):
        with pytest.raises(VoiceModelUnusable), store.new_folder() as folder:
            import_voice(brought, folder.path)
        assert not list((tmp_path / "voice_profiles").iterdir())


def test_a_merged_voice_has_the_first_ones_settings(store: ProfileStore, tmp_path: Path) -> None:
    first, second = (bring(store, tmp_path, seed, index=True, speaker=2, rms_mix=0.5) for seed in (1, 2))
    parents = [Parent(store.files(each), 2, store.get(each)["settings"]) for each in (first, second)]
    with store.new_folder() as folder:
        facts = merge_voices(parents[0], parents[1], 0.5, folder.path)
        made = folder.keep(facts, "ann", "Both")
    assert (made["model"]["speakers"], made["model"]["index_features"]) == (3, 0)
    assert (made["settings"]["speaker"], made["settings"]["rms_mix"]) == (0, 0.5)
    assert sung(store, made["profile_id"]).synthesiser.architecture == size_of(speakers=3)


def test_settings_are_checked_by_name(tmp_path: Path) -> None:
    assert settings_of({"speaker": 1}, 2).speaker == 1
    with pytest.raises(ValueError, match="no setting 'volume'"):
        settings_of({"volume": 1}, 2)
    with pytest.raises(ValueError, match="1 speaker, counted"):
        settings_of({"speaker": 1}, 1)


def test_voices_are_in_backups(store: ProfileStore, tmp_path: Path) -> None:
    settings = load_settings(environ={"AUTOVOICE_STORAGE__DATA_DIR": str(tmp_path)})
    profile_id = bring(store, tmp_path, index=True)
    before = store.get(profile_id)
    archive = make_backup(settings, tmp_path / "backups")
    store.delete(profile_id, "ann")
    with pytest.raises(ProfileNotFound):
        store.voice(profile_id)
    restore(settings, archive)
    assert store.get(profile_id) == before
    assert sung(store, profile_id).retrieval is not None
