"""What is sung, drawn towards what the voice itself once sang: features mixed with their nearest in an index.

The mix is RVC's: the k nearest features of the voice, weighted by 1/d² of their squared distances d. The
search is faiss's for "IVFn,Flat": the lists whose centroids are nearest to the query are looked through,
exactly. It is written with torch so that it takes many rows, runs where the network runs, and asks nothing
back from the device (a CUDA graph can hold it).
"""

from __future__ import annotations

from pathlib import Path
from typing import Self

import torch
from torch import Tensor

from pipeline.converters.rvc.index_file import IndexFile, read_index

NEIGHBOURS = 8
AT_ONCE = {"cpu": 1 << 21}  # numbers of candidates gathered at a time: on a processor, what its cache holds
AT_ONCE_ELSEWHERE = 1 << 26


class Retrieval:
    """An index in a device's memory.

    Args:
        index: what the file holds.
        device: where it is searched.
    """

    def __init__(self, index: IndexFile, device: torch.device | str = "cpu") -> None:
        self.dims = index.vectors.shape[1]
        self.count = len(index.vectors)
        self._probes = index.probes
        self._longest = int((index.starts[1:] - index.starts[:-1]).max())
        self._centroids = torch.from_numpy(index.centroids).to(device)
        self._vectors = torch.from_numpy(index.vectors).to(device)
        self._ids = torch.from_numpy(index.ids).to(device)
        starts = torch.from_numpy(index.starts).to(device)
        self._starts, self._ends = starts[:-1].contiguous(), starts[1:].contiguous()
        self._places = torch.arange(self._longest, device=device)

    @classmethod
    def load(cls, path: Path, dims: int, device: torch.device | str = "cpu") -> Self:
        """Read an `added_*.index` file.

        Args:
            path: the file.
            dims: of the features that the voice takes, 256 (v1) or 768 (v2).
            device: where it is searched.

        Raises:
            WeightsCorrupt: see `read_index`.
        """
        return cls(read_index(path, dims), device)

    def search(self, queries: Tensor, k: int = NEIGHBOURS) -> tuple[Tensor, Tensor]:
        """The nearest features of each query, as faiss's `index.search` gives them.

        Args:
            queries: (n, dims) float32 on the index's device.
            k: how many.

        Returns:
            Squared distances (n, k), ascending, and the numbers of the features (n, k); inf and −1 where
            the lists looked through hold fewer.
        """
        squared, found = self._nearest(queries, k)
        return squared, torch.where(squared.isinf(), -1, self._ids[found])

    def blend(self, features: Tensor, rate: Tensor | float, k: int = NEIGHBOURS) -> Tensor:
        """Mix features with their nearest: rate · Σ w·v + (1 − rate) · features, w ∝ 1/d².

        A feature that is in the index (d = 0) is its own neighbour; one whose list is empty stays as it is.

        Args:
            features: (rows, frames, dims) on the index's device.
            rate: 0..1, one for all or (rows,).
            k: neighbours.

        Returns:
            The same shape and type.
        """
        flat = features.reshape(-1, self.dims).float()
        squared, found = self._nearest(flat, k)
        closest = squared[:, :1].clamp(min=torch.finfo(torch.float32).tiny)
        weights = (
            closest / torch.maximum(squared, closest)
        ).square()  # of one row to each other as 1/d², never 0/0
        weights = weights / weights.sum(1, keepdim=True)
        mixed = torch.einsum("nk,nkd->nd", weights, self._vectors[found])
        mixed = torch.where(squared[:, :1].isinf(), flat, mixed).reshape(features.shape)
        part = torch.as_tensor(rate, device=features.device, dtype=torch.float32).reshape(-1, 1, 1)
        return (part * mixed + (1 - part) * features).to(features.dtype)

    def _nearest(self, queries: Tensor, k: int) -> tuple[Tensor, Tensor]:
        """Squared distances and rows of `vectors`, both (n, k); inf and any row where there are fewer."""
        if not len(queries):
            return queries.new_zeros((0, k)), torch.zeros((0, k), dtype=torch.int64, device=queries.device)
        at_once = AT_ONCE.get(queries.device.type, AT_ONCE_ELSEWHERE)
        chunk = max(1, at_once // (self._longest * self._probes * self.dims))
        parts = [self._look(part, k) for part in torch.split(queries, chunk)]
        return torch.cat([part[0] for part in parts]), torch.cat([part[1] for part in parts])

    def _look(self, queries: Tensor, k: int) -> tuple[Tensor, Tensor]:
        lists = torch.cdist(queries, self._centroids).topk(self._probes, 1, largest=False).indices
        places = self._starts[lists].unsqueeze(2) + self._places  # (n, probes, longest)
        beyond = (places >= self._ends[lists].unsqueeze(2)).flatten(1)
        places = places.flatten(1).masked_fill(beyond, 0)
        squared = (self._vectors[places] - queries.unsqueeze(1)).square().sum(2).masked_fill(beyond, torch.inf)
        short = k - squared.shape[1]
        if short > 0:
            squared = torch.nn.functional.pad(squared, (0, short), value=torch.inf)
            places = torch.nn.functional.pad(places, (0, short))
        nearest = squared.topk(k, 1, largest=False)
        return nearest.values, places.gather(1, nearest.indices)
