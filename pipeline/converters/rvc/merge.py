"""Two RVC voices made into one: their weights interpolated."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from pipeline.converters.blend import check_share
from pipeline.converters.rvc.architecture import Architecture, VoiceModelUnusable
from pipeline.converters.rvc.checkpoint import DIRECTION, LENGTH, Checkpoint, checkpoint

SPEAKERS = ("between both", "the first", "the second")  # of a merged voice


def merge(
    first: Checkpoint, second: Checkpoint, share: float, speakers: tuple[int, int] = (0, 0)
) -> Checkpoint:
    """A voice between two: (1 − share) · first + share · second of each tensor, as RVC's own merging does.

    Lengths and directions of normalised weights are interpolated apart, so that no weight shrinks where the two
    point elsewhere. Of the speakers, the result has three: 0 lies between those of the two voices, 1 is that of
    the first, 2 that of the second.

    Args:
        first, second: of one architecture; their numbers of speakers may differ.
        share: of the second, 0 to 1.
        speakers: which speaker of each.

    Raises:
        VoiceModelUnusable: networks of different architectures; says what differs.
        ValueError: a share or a speaker that there is none of.
    """
    check_share(share)
    for voice, speaker in zip((first, second), speakers, strict=True):
        if not 0 <= speaker < voice.architecture.speakers:
            raise ValueError(
                f"the voice has {voice.architecture.speakers} speakers, and none of number {speaker}"
            )
    _check_alike(first.architecture, second.architecture)
    ours, theirs = _normalised(first.stored), _normalised(second.stored)
    if ours.keys() != theirs.keys():
        raise VoiceModelUnusable("the two voices have different tensors")  # both were checked: never
    half = all(tensor.dtype == torch.float16 for each in (first, second) for tensor in each.stored.values())
    mixed = {}
    for name in ours.keys() - {"emb_g.weight"}:
        made = torch.lerp(ours[name], theirs[name], share)
        mixed[name] = made.half() if half else made
    a, b = ours["emb_g.weight"][speakers[0]], theirs["emb_g.weight"][speakers[1]]
    mixed["emb_g.weight"] = torch.stack((torch.lerp(a, b, share), a, b))
    return checkpoint(
        mixed,
        replace(first.architecture, speakers=len(SPEAKERS)),
        f"merged, {round(100 * share)} % of the second",
    )


def _check_alike(first: Architecture, second: Architecture) -> None:
    words = {
        "version": "RVC version",
        "pitched": "use of pitch",
        "sample_rate": "sample rate",
    }
    for name, value in vars(first).items():
        other = getattr(second, name)
        if name != "speakers" and value != other:
            raise VoiceModelUnusable(
                f"the two voices cannot be merged: their {words.get(name, name.replace('_', ' '))} differs "
                f"({_word(value)} and {_word(other)})",
                "merge voices that were trained with the same version, sample rate and kind of pitch",
            )


def _word(value: object) -> str:
    return {True: "with", False: "without"}.get(value, str(value)) if isinstance(value, bool) else str(value)


def _normalised(stored: dict[str, Tensor]) -> dict[str, Tensor]:
    """float32, with lengths and directions apart wherever RVC has them so."""
    made = {}
    for name, tensor in stored.items():
        full = tensor.float()
        if name.endswith(".weight") and full.dim() == 3 and _is_normalised(name):
            stem = name.removesuffix("weight")
            made[stem + LENGTH] = torch.linalg.vector_norm(full, dim=(1, 2), keepdim=True)
            made[stem + DIRECTION] = full
        else:
            made[name] = full
    return made


def _is_normalised(name: str) -> bool:
    """Whether RVC normalises a weight: the flow's WaveNets, and the decoder's upsamplings and blocks."""
    return (name.startswith("flow.") and ".enc." in name) or name.startswith(("dec.ups.", "dec.resblocks."))
