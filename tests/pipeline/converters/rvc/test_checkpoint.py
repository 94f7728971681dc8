import io
import os
import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from pipeline.converters.rvc.architecture import VoiceModelUnusable
from pipeline.converters.rvc.checkpoint import load_checkpoint
from pipeline.converters.rvc.pth_file import MOST_PICKLE
from tests import checkpoints
from tests.checkpoints import SIZE, content, size_of, weights, write

SIZES = [
    SIZE,
    size_of(version="v1", rates=(10, 4, 2, 2, 2), up_kernels=(16, 16, 4, 4, 4), width=32, sample_rate=32_000),
    size_of(rates=(10, 10, 2, 2), up_kernels=(16, 16, 4, 4), sample_rate=40_000, speakers=1),
    size_of(pitched=False),
]


@pytest.mark.parametrize("size", SIZES, ids=["v2-48k", "v1-32k", "v2-40k", "v2-without-pitch"])
def test_a_voice_is_what_its_file_says(tmp_path: Path, size: checkpoints.Architecture) -> None:
    path = write(tmp_path / "voice.pth", size)
    read = load_checkpoint(path)
    assert read.architecture == size
    assert read.info == "20epoch"
    given = weights(size)
    assert read.stored.keys() == given.keys()
    assert all(torch.equal(read.stored[name], given[name]) for name in given)
    made = read.synthesiser().state_dict()
    for name, tensor in made.items():
        assert tensor.dtype == torch.float32
        if name in given:
            assert torch.equal(tensor, given[name].float())
        else:
            v, g = (given[name.removesuffix("weight") + part].float() for part in ("weight_v", "weight_g"))
            assert torch.allclose(tensor, torch._weight_norm(v, g, 0), atol=1e-6)


def test_older_and_newer_ways_of_writing_are_read(tmp_path: Path) -> None:
    given = content()
    new = {
        name.replace("weight_g", "parametrizations.weight.original0").replace(
            "weight_v", "parametrizations.weight.original1"
        ): value
        for name, value in given["weight"].items()
    }
    config = [*SIZE.config()[:15], 109, *SIZE.config()[16:]]  # most lists tell a wrong number of speakers
    applio = {"vocoder": "HiFi-GAN", "embedder_model": "contentvec", "f0": True, "epoch": 20, "author": "Ann"}
    del given["version"]
    old = content(SIZES[1])
    del old["version"], old["f0"]
    for name, file in {"new": content(weight=new, config=config) | applio, "old": old}.items():
        torch.save(file, tmp_path / f"{name}.pth")
    with_training = weights() | {"enc_q.pre.weight": torch.zeros(3)}
    ordered = OrderedDict(with_training)
    ordered._metadata = OrderedDict(version=1)  # type: ignore[attr-defined]
    write(tmp_path / "ordered.pth", weight=ordered)
    expected = load_checkpoint(write(tmp_path / "plain.pth")).stored
    for name in ("new", "ordered"):
        stored = load_checkpoint(tmp_path / f"{name}.pth").stored
        assert all(torch.equal(stored[key], expected[key]) for key in expected)
    assert load_checkpoint(tmp_path / "old.pth").architecture == SIZES[1]


def test_numbers_are_kept_as_they_came(tmp_path: Path) -> None:
    given = {name: value.float() for name, value in weights().items()}
    given["emb_g.weight"] = given["emb_g.weight"] + 1e-5
    stored = load_checkpoint(write(tmp_path / "voice.pth", weight=given)).stored
    assert stored["emb_g.weight"].dtype == torch.float32
    assert stored["dec.conv_pre.weight"].dtype == torch.float16
    assert all(torch.equal(stored[name].float(), given[name]) for name in given)


def _changed(**of: Callable[[torch.Tensor], Any]) -> dict[str, Any]:
    made: dict[str, Any] = weights()
    for name, change in of.items():
        key = name.replace("__", ".")
        made[key] = change(made[key])
    return made


def _config(place: int, value: Any) -> list[Any]:
    made = SIZE.config()
    made[place] = value
    return made


def _deep() -> list[Any]:
    made: list[Any] = []
    for _ in range(50):
        made = [made] * 10
    return made


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "version": ({"version": "v3"}, "version is 'v3'"),
    "version of tensors": ({"version": torch.ones(3)}, "version is Tensor"),
    "f0": ({"f0": 2}, "'f0' is 2"),
    "f0 of tensors": ({"f0": torch.ones(3)}, "'f0' is Tensor"),
    "no config": ({"config": None}, "list of 18"),
    "short config": ({"config": [1, 2]}, "list of 18"),
    "endless config": ({"config": _config(2, _deep())}, "inter_channels"),
    "other blocks": ({"config": _config(9, "2")}, "residual blocks"),
    "huge width": ({"config": _config(13, 1 << 40)}, "upsample_initial_channel"),
    "other rate": ({"config": _config(17, 44_100)}, "44100"),
    "truth for a number": ({"config": _config(6, True)}, "n_layers"),
    "other layers": ({"config": _config(6, 2)}, "lacks 'enc_p.encoder.attn_layers.1"),
    "decoder": ({"vocoder": "BigVGAN"}, "BigVGAN"),
    "decoder of tensors": ({"vocoder": torch.ones(2)}, "Tensor"),
    "embedder": ({"embedder_model": "spin"}, "'spin'"),
    "endless embedder": ({"embedder_model": _deep()}, "features of"),
    "no weights": ({"weight": None}, "no 'weight'"),
    "weights of words": ({"weight": _changed(emb_g__weight=lambda t: "loud")}, "no speaker"),
    "shape": ({"weight": _changed(dec__conv_pre__bias=lambda t: t[:-1])}, "'dec.conv_pre.bias' is"),
    "type": ({"weight": _changed(dec__conv_pre__bias=lambda t: t.long())}, "int64"),
    "NaN": ({"weight": _changed(dec__conv_pre__bias=lambda t: t * float("nan"))}, "not finite"),
    "infinity": ({"weight": _changed(dec__conv_pre__bias=lambda t: t.double() + 1e300)}, "not finite"),
    "expanded": ({"weight": _changed(emb_g__weight=lambda t: t[:1, :1].clone().expand(3, 4))}, "larger than"),
    "missing": ({"weight": {k: v for k, v in weights().items() if k != "dec.conv_post.weight"}}, "lacks"),
    "unknown": ({"weight": weights() | {"dec.more": torch.zeros(2)}}, "'dec.more'"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_voice_is_refused_in_words(tmp_path: Path, case: str) -> None:
    other, words = REFUSED[case]
    with pytest.raises(VoiceModelUnusable) as refused:
        load_checkpoint(write(tmp_path / "voice.pth", **other))
    assert words in str(refused.value)
    assert len(str(refused.value)) < 300


class Payload:
    """A pickle of it runs a command when it is read."""

    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self) -> Any:
        return os.system, (self.command,)


class Hoard:
    """A pickle of it takes a terabyte."""

    def __reduce__(self) -> Any:
        return bytearray, (10**12,)


class Disguised:
    """A pickle of it is a dict of weights whose methods are none."""

    def __reduce__(self) -> Any:
        state = dict.fromkeys(("items", "keys", "get", "values", "__iter__"), 1)
        return OrderedDict, (), state, None, iter(weights().items())


@pytest.mark.parametrize("place", ["info", "config", "weight", "version", "other"])
def test_nothing_in_a_file_is_executed(tmp_path: Path, place: str) -> None:
    trace = tmp_path / "executed"
    path = write(tmp_path / "voice.pth", **{place: Payload(f"touch {trace}")})
    with pytest.raises(VoiceModelUnusable, match=r"more than weights \('(posix|nt)\.system'\)"):
        load_checkpoint(path)
    assert not trace.exists()


def test_no_memory_is_taken_on_trust(tmp_path: Path) -> None:
    with pytest.raises(VoiceModelUnusable, match="bytearray"):
        load_checkpoint(write(tmp_path / "hoard.pth", info=Hoard()))
    with pytest.raises(VoiceModelUnusable, match="no RVC voice"):
        load_checkpoint(write(tmp_path / "long.pth", info="x" * MOST_PICKLE))
    wide = torch.zeros(1).expand(1 << 20, 1 << 20)
    with pytest.raises(VoiceModelUnusable, match="configuration says"):
        load_checkpoint(write(tmp_path / "wide.pth", weight=weights() | {"dec.conv_post.weight": wide}))


def test_methods_that_a_pickle_hangs_over_a_dict_are_not_called(tmp_path: Path) -> None:
    assert load_checkpoint(write(tmp_path / "voice.pth", weight=Disguised())).architecture == SIZE


def _repacked(path: Path, compression: int) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(made, "w", compression) as target:
        for entry in source.infolist():
            target.writestr(entry.filename, source.read(entry))
    return made.getvalue()


def test_other_files_are_refused_in_words(tmp_path: Path) -> None:
    good = write(tmp_path / "good.pth")
    whole = good.read_bytes()
    zipped = io.BytesIO()
    with zipfile.ZipFile(zipped, "w") as archive:
        archive.writestr("voice.txt", "no pickle")
    torch.save({"model": {}, "optimizer": {}}, tmp_path / "training.pth")
    torch.save([1, 2], tmp_path / "list.pth")
    torch.save(content(), tmp_path / "legacy.pth", _use_new_zipfile_serialization=False)
    files = {
        "empty": (b"", "damaged"),
        "text": (b"hello " * 100, "damaged"),
        "pickle": (pickle.dumps(Payload("true")), "damaged"),
        "truncated": (whole[: len(whole) // 2], "damaged"),
        "end": (whole[len(whole) // 2 :], ""),
        "zip": (zipped.getvalue(), "holds no RVC voice"),
        "compressed": (_repacked(good, zipfile.ZIP_DEFLATED), "compressed"),
        "training": ((tmp_path / "training.pth").read_bytes(), "for training"),
        "list": ((tmp_path / "list.pth").read_bytes(), "holds no RVC voice"),
        "legacy": ((tmp_path / "legacy.pth").read_bytes(), "damaged or no PyTorch file"),
    }
    for name, (data, words) in files.items():
        path = tmp_path / f"{name}-again.pth"
        path.write_bytes(data)
        with pytest.raises(VoiceModelUnusable) as refused:
            load_checkpoint(path)
        assert words in str(refused.value), name
        assert refused.value.suggestions


def test_a_file_that_is_not_there_is_no_voice(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        load_checkpoint(tmp_path / "none.pth")
