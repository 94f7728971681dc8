"""The input of a streaming convolution in one pass: activation, what was before, zeros after, and what is kept.

Written out, these are four or five small kernels for each of the hundred convolutions of a decoder, and on a
GPU launching them costs more than running them. There one kernel does it (`kernels/triton_conv_input.py`);
elsewhere the same is done by PyTorch without copies in between.
"""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

from kernels import fusion


def conv_input(
    x: Tensor, slope: float, left: int, right: int, held: Tensor, kept: Tensor, at: int, end: int
) -> Tensor:
    """`[what was before | leaky(x) | zeros]`, and the part of it that is before the next part of the stream.

    Args:
        x: (n, channels, time).
        slope: of the leaky ReLU; 1 leaves `x` as it is.
        left, right: samples before and after it.
        held: (n, size) what is remembered of all layers; from `at` on, channels * left numbers are this one's.
        kept: (n, size) gets what is to be remembered, in the same place.
        at: that place.
        end: the sample of `x` before which the part is final, at most `time`.

    Returns:
        (n, channels, left + time + right).
    """
    if fusion.available(x):
        from kernels.triton_conv_input import launch

        return launch(x, slope, left, right, held, kept, at, end)
    count, channels, time = x.shape
    place = slice(at, at + channels * left)
    joined = x.new_empty(count, channels, left + time + right)
    joined[..., :left] = held[:, place].view(count, channels, left)
    joined[..., left : left + time] = x if slope == 1.0 else functional.leaky_relu(x, slope)
    joined[..., left + time :] = 0.0
    kept[:, place].view(count, channels, left).copy_(joined[..., end : end + left])
    return joined
