"""What is sung, as ContentVec hears it: the features that RVC voices are sung from."""

from pipeline.content_vec.encoder import ContentVec, Version
from pipeline.content_vec.fairseq import convert
from pipeline.content_vec.files import fetch, find

__all__ = ["ContentVec", "Version", "convert", "fetch", "find"]
