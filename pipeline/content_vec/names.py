"""The tensors of a HuBERT-base network by the names of Hugging Face, fairseq and torchaudio, and its sizes.

Sources: Hsu et al., "HuBERT: self-supervised speech representation learning by masked prediction of hidden
units", 2021; Qian et al., "ContentVec", ICML 2022, which trains the same network to forget the speaker.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torchaudio.models import Wav2Vec2Model, wav2vec2_model

KERNELS, STRIDES = (10, 3, 3, 3, 3, 2, 2), (5, 2, 2, 2, 2, 2, 2)  # of the convolutions, in samples
LAYERS = 12
MOST_WIDTH = 8192  # no number of a configuration may be larger

FAIRSEQ = (  # patterns of its names, and Hugging Face's
    (r"feature_extractor\.conv_layers\.(\d+)\.0\.weight", r"feature_extractor.conv_layers.\1.conv.weight"),
    (r"feature_extractor\.conv_layers\.0\.2\.(\w+)", r"feature_extractor.conv_layers.0.layer_norm.\1"),
    (r"layer_norm\.(\w+)", r"feature_projection.layer_norm.\1"),
    (r"post_extract_proj\.(\w+)", r"feature_projection.projection.\1"),
    (r"encoder\.pos_conv\.0\.(\w+)", r"encoder.pos_conv_embed.conv.\1"),
    (r"encoder\.layer_norm\.(\w+)", r"encoder.layer_norm.\1"),
    (r"encoder\.layers\.(\d+)\.self_attn\.(\w+)\.(\w+)", r"encoder.layers.\1.attention.\2.\3"),
    (r"encoder\.layers\.(\d+)\.self_attn_layer_norm\.(\w+)", r"encoder.layers.\1.layer_norm.\2"),
    (r"encoder\.layers\.(\d+)\.fc1\.(\w+)", r"encoder.layers.\1.feed_forward.intermediate_dense.\2"),
    (r"encoder\.layers\.(\d+)\.fc2\.(\w+)", r"encoder.layers.\1.feed_forward.output_dense.\2"),
    (r"encoder\.layers\.(\d+)\.final_layer_norm\.(\w+)", r"encoder.layers.\1.final_layer_norm.\2"),
    (r"mask_emb", r"masked_spec_embed"),
    (r"final_proj\.(\w+)", r"final_proj.\1"),
)
POSITION = "encoder.pos_conv_embed.conv"
TRAINING_ONLY = ("masked_spec_embed", "label_embs_concat")


@dataclass(frozen=True)
class Sizes:
    """What differs between networks of this kind."""

    hidden: int = 768
    projection: int = 256
    channels: tuple[int, ...] = (512,) * len(KERNELS)
    heads: int = 12
    inner: int = 3072
    position_kernel: int = 128
    position_groups: int = 16

    def check(self) -> None:
        """Raise ValueError unless a network of a reasonable size can be made."""
        numbers = (self.hidden, self.projection, *self.channels, self.heads, self.inner)
        if not all(0 < n <= MOST_WIDTH for n in (*numbers, self.position_kernel, self.position_groups)):
            raise ValueError("a size is out of range")
        if len(self.channels) != len(KERNELS) or self.hidden % self.heads or self.hidden % self.position_groups:
            raise ValueError("its sizes do not fit each other")

    def config(self) -> dict[str, Any]:
        """The `config.json` of Hugging Face's library."""
        return {
            "architectures": ["HubertModelWithFinalProj"],
            "model_type": "hubert",
            "hidden_size": self.hidden,
            "classifier_proj_size": self.projection,
            "num_hidden_layers": LAYERS,
            "num_attention_heads": self.heads,
            "intermediate_size": self.inner,
            "hidden_act": "gelu",
            "feat_extract_norm": "group",
            "feat_extract_activation": "gelu",
            "feat_proj_layer_norm": True,
            "conv_dim": list(self.channels),
            "conv_kernel": list(KERNELS),
            "conv_stride": list(STRIDES),
            "conv_bias": False,
            "num_feat_extract_layers": len(KERNELS),
            "num_conv_pos_embeddings": self.position_kernel,
            "num_conv_pos_embedding_groups": self.position_groups,
            "conv_pos_batch_norm": False,
            "do_stable_layer_norm": False,
            "layer_norm_eps": 1e-05,
        }


# what all must have; left out of a configuration, they have these values
FIXED = {
    "num_hidden_layers": LAYERS,
    "hidden_act": "gelu",
    "feat_extract_norm": "group",
    "feat_extract_activation": "gelu",
    "feat_proj_layer_norm": True,
    "conv_kernel": list(KERNELS),
    "conv_stride": list(STRIDES),
    "conv_bias": False,
    "conv_pos_batch_norm": False,
    "do_stable_layer_norm": False,
    "layer_norm_eps": 1e-05,
}


def sizes_of(config: Any) -> Sizes:
    """The sizes that a `config.json` gives.

    Raises:
        ValueError: another kind of network, or sizes out of range; says which.
    """
    if not isinstance(config, dict) or config.get("model_type") != "hubert":
        raise ValueError("it describes no HuBERT network")
    for key, value in FIXED.items():
        if config.get(key, value) != value:
            raise ValueError(f"{key} is {config[key]!r:.60}, not {value!r}")
    base, names = Sizes(), Sizes.__dataclass_fields__
    keys = {
        "hidden": "hidden_size",
        "projection": "classifier_proj_size",
        "channels": "conv_dim",
        "heads": "num_attention_heads",
        "inner": "intermediate_size",
        "position_kernel": "num_conv_pos_embeddings",
        "position_groups": "num_conv_pos_embedding_groups",
    }
    given = {name: config.get(keys[name], getattr(base, name)) for name in names}
    if not isinstance(given["channels"], list | tuple):
        raise ValueError("conv_dim is no list")
    given["channels"] = tuple(given["channels"])
    if not all(type(n) is int for n in (*given.pop("channels"), *given.values())):
        raise ValueError("a size is no whole number")
    sizes = Sizes(**given, channels=tuple(config.get("conv_dim", base.channels)))
    sizes.check()
    return sizes


def from_fairseq(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The tensors by Hugging Face's names; those for training only are left out.

    Raises:
        ValueError: an unknown name.
    """
    named = {}
    for key, tensor in state.items():
        for pattern, name in FAIRSEQ:
            match = re.fullmatch(pattern, key)
            if match is not None:
                named[match.expand(name)] = tensor
                break
        else:
            if key not in TRAINING_ONLY:
                raise ValueError(f"unknown tensor {key!r:.80}")
    return named


def to_torchaudio(state: dict[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """From Hugging Face's names to those of `empty` network, and the tensors of `final_proj` apart.

    Raises:
        ValueError: the weights of the positional convolution are incomplete, or of impossible shapes.
    """
    state = {key.removeprefix("hubert."): value for key, value in state.items()}
    named = {f"{POSITION}.bias": state.pop(f"{POSITION}.bias", None)}
    pairs = (
        ("weight_g", "weight_v"),
        ("parametrizations.weight.original0", "parametrizations.weight.original1"),
    )
    for norm, direction in pairs:
        g, v = state.pop(f"{POSITION}.{norm}", None), state.pop(f"{POSITION}.{direction}", None)
        if g is not None and v is not None:
            if v.ndim != 3 or g.shape != (1, 1, v.shape[2]):
                raise ValueError(f"the shapes of {POSITION} do not fit each other")
            named[f"{POSITION}.weight"] = (
                g.float() * v.float() / v.float().square().sum((0, 1), keepdim=True).sqrt()
            )
    named.update(state)
    made, projection = {}, {}
    for key, tensor in named.items():
        if key in TRAINING_ONLY or tensor is None:
            continue
        if key.startswith("final_proj."):
            projection[key.removeprefix("final_proj.")] = tensor
        elif key.startswith("feature_projection."):
            made[f"encoder.{key}"] = tensor
        elif key.startswith("encoder."):
            made[f"encoder.transformer.{key.removeprefix('encoder.')}"] = tensor
        else:
            made[key] = tensor
    return made, projection


def empty(sizes: Sizes) -> Wav2Vec2Model:
    """A network on the device "meta", with the weights of its positional convolution as one tensor."""
    with torch.device("meta"):
        model = wav2vec2_model(
            extractor_mode="group_norm",
            extractor_conv_layer_config=list(zip(sizes.channels, KERNELS, STRIDES, strict=True)),
            extractor_conv_bias=False,
            encoder_embed_dim=sizes.hidden,
            encoder_projection_dropout=0.0,
            encoder_pos_conv_kernel=sizes.position_kernel,
            encoder_pos_conv_groups=sizes.position_groups,
            encoder_num_layers=LAYERS,
            encoder_num_heads=sizes.heads,
            encoder_attention_dropout=0.0,
            encoder_ff_interm_features=sizes.inner,
            encoder_ff_interm_dropout=0.0,
            encoder_dropout=0.0,
            encoder_layer_norm_first=False,
            encoder_layer_drop=0.0,
            aux_num_out=None,
        )
        nn.utils.parametrize.remove_parametrizations(model.encoder.transformer.pos_conv_embed.conv, "weight")
    return model
