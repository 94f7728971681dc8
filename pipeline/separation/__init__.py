"""Taking songs apart: `spleeter` is always there, the Demucs models where their weights are."""

from pipeline.separation.base import Mixture, Separator, Stems
from pipeline.separation.choose import MODELS, Choice, choose_separator

__all__ = ["MODELS", "Choice", "Mixture", "Separator", "Stems", "choose_separator"]
