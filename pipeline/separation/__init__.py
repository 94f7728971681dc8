"""Taking songs apart: `spleeter` is always there, the Demucs models where their weights are."""

from pipeline.separation.base import Mixture, Separator, Stems
from pipeline.separation.choose import DEMUCS, MODELS, Choice, choose_separator, fetch_demucs

__all__ = ["DEMUCS", "MODELS", "Choice", "Mixture", "Separator", "Stems", "choose_separator", "fetch_demucs"]
