"""`autovoice doctor`: would AutoVoice work here? A verdict per line, and a real self-test at the end."""

from __future__ import annotations

import importlib.metadata
import platform
import shutil
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from auto_voice.device import choose_device, converters, cores
from auto_voice.settings import Settings, SettingsError

PACKAGES = ("torch", "numba", "aiohttp", "av", "soxr", "onnxruntime")
MIN_DISK_BYTES = 500 * 2**20
SELF_TEST_S = 2.0


@dataclass(frozen=True)
class Verdict:
    """One line of the doctor's report."""

    check: str
    ok: bool
    found: str
    advice: str = ""


def examine(settings: Settings) -> Iterator[Verdict]:
    """Carry out every check, one verdict at a time."""
    checks: tuple[Callable[[Settings], Verdict], ...] = (
        _python,
        _packages,
        _devices,
        _folders,
        _disk,
        _port,
        _weights,
        _voices,
        _self_test,
    )
    for check in checks:
        yield check(settings)


def _python(settings: Settings) -> Verdict:
    return Verdict("python", True, f"{platform.python_version()} on {platform.system()} {platform.machine()}")


def _packages(settings: Settings) -> Verdict:
    versions = {name: importlib.metadata.version(name) for name in PACKAGES}
    return Verdict("packages", True, ", ".join(f"{name} {version}" for name, version in versions.items()))


def _devices(settings: Settings) -> Verdict:
    import torch

    found = f"{cores()} CPU cores, "
    try:
        device = choose_device(settings)
    except SettingsError as problem:
        return Verdict("devices", False, found + problem.message, problem.suggestions[0])
    if device.trouble:
        return Verdict("devices", False, found + device.trouble, "check the driver, or set gpu.device to auto")
    if device.name == "cpu":
        return Verdict("devices", True, found + "networks run on the CPU")
    return Verdict("devices", True, f"{found}networks run on {torch.cuda.get_device_name(device.name)}")


def _folders(settings: Settings) -> Verdict:
    storage = settings.storage
    folders = (storage.voice_profiles_dir, storage.models_dir, storage.temp_dir)
    try:
        for folder in folders:
            folder.mkdir(parents=True, exist_ok=True)
            probe = folder / ".doctor"
            probe.write_bytes(b"")
            probe.unlink()
    except OSError as problem:
        return Verdict("folders", False, str(problem), "set storage.data_dir to a folder you may write to")
    return Verdict("folders", True, f"can write to {storage.data_dir}")


def _disk(settings: Settings) -> Verdict:
    place = settings.storage.data_dir
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free
    return Verdict(
        "disk", free > MIN_DISK_BYTES, f"{free / 2**30:.1f} GiB free", "make room for weights and voices"
    )


def _port(settings: Settings) -> Verdict:
    address = (settings.server.host, settings.server.port)
    family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(address)
        except OSError as problem:
            return Verdict(
                "port", False, f"{address[0]}:{address[1]}: {problem.strerror}", "stop what uses it, or --port"
            )
    return Verdict("port", True, f"{address[0]}:{address[1]} is free")


def _weights(settings: Settings) -> Verdict:
    from pipeline.weights import FILES, REQUIRED, verified

    missing = [
        name
        for name in REQUIRED
        if not verified(FILES[name], settings.storage.models_dir / FILES[name].file_name)
    ]
    if missing:
        return Verdict("weights", False, f"missing or damaged: {', '.join(missing)}", "run: autovoice weights")
    return Verdict("weights", True, f"{', '.join(REQUIRED)} verified")


def _voices(settings: Settings) -> Verdict:
    from auto_voice.storage.profiles import ProfileStore

    try:
        _, count = ProfileStore(settings.storage.voice_profiles_dir).list()
    except OSError as problem:
        return Verdict("voices", False, str(problem), "set storage.data_dir to a folder you may write to")
    return Verdict(
        "voices", count > 0, f"{count} voice profiles", "the built-in voices are missing: install again"
    )


def _self_test(settings: Settings) -> Verdict:
    """Two seconds of a synthetic voice through the real converter, block by block, an octave up."""
    from pipeline.converters import DEFAULT
    from pipeline.converters.base import Controls
    from pipeline.converters.stream import convert_recording
    from pipeline.pitch.live import track
    from pipeline.synthetic import sing, vibrato

    block = 48 * settings.live.block_ms
    try:
        converter = converters(settings, threads=1)[DEFAULT](block)
    except SettingsError as problem:
        return Verdict("self-test", False, problem.message, problem.suggestions[0])
    voice = sing(vibrato(196.0, SELF_TEST_S, 48_000), 48_000, np.random.default_rng(1))
    controls = Controls(pitch_semitones=12.0, auto_pitch=False)
    convert_recording(converter, voice, None, controls)  # compiles, where that has not been done
    began = time.perf_counter()
    sung = convert_recording(converter, voice, None, controls)
    spent = (time.perf_counter() - began) / SELF_TEST_S
    before, after = track(voice)[0], track(sung)[0]
    both = (before > 0) & (after > 0)
    error = (
        float(np.median(np.abs(1200 * np.log2(after[both] / before[both] / 2)))) if both.any() else float("inf")
    )
    found = f"an octave up within {error:.1f} cents, {spent:.1%} of a core for one singer"
    return Verdict(
        "self-test", error < 20 and spent < 0.5, found, "this machine is too slow or the install is broken"
    )
