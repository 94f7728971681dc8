"""`autovoice weights NAME`: those fetched only when asked for; `weights-unused`: what nothing needs."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from auto_voice.settings import SettingsError, load_settings

OPTIONAL = ("contentvec", "rmvpe", "fcpe", "htdemucs", "htdemucs_ft")
KEPT = ("contentvec", "demucs")  # folders of models that are made here, or that people bring
HALF = (".fetch-", ".part")  # downloads that were broken off


def fetch_named(names: Sequence[str], models_dir: Path) -> None:
    """Fetch weights, showing how far it is.

    Args:
        names: of OPTIONAL or of the registered files.
        models_dir: the folder of weights.

    Raises:
        SettingsError: an unknown name; nothing is fetched then.
        PipelineError: some cannot be had.
    """
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn

    if not names:
        return
    fetchers = {name: _fetcher(name) for name in names}
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
    with Progress(*columns, console=Console(stderr=True)) as bars:
        for name, fetch in fetchers.items():
            bar = bars.add_task(name, total=None)
            fetch(models_dir, lambda done, total, bar=bar: bars.update(bar, completed=done, total=total))  # type: ignore[misc]


def _fetcher(name: str) -> Callable[[Path, Callable[[int, int], None]], Path]:
    from pipeline import content_vec, separation, weights

    if name == "contentvec":
        return content_vec.fetch
    if name in separation.DEMUCS:
        return partial(separation.fetch_demucs, name)
    if name in weights.DOWNLOADS:
        return partial(weights.fetch_download, name)
    if name in weights.FILES:
        return partial(weights.fetch, name)
    raise SettingsError(f"there are no weights {name!r}", f"known: {', '.join(OPTIONAL)}")


def unused(models_dir: Path) -> tuple[list[Path], list[Path]]:
    """Half downloads, and files that no version of ours knows; models that people bring are known."""
    from pipeline.weights import DOWNLOADS, FILES

    known = {models_dir / file.file_name for file in FILES.values()}
    known |= {models_dir / file.file_name for file in DOWNLOADS.values()}
    half: list[Path] = []
    strange: list[Path] = []
    for path in sorted(models_dir.rglob("*")) if models_dir.is_dir() else []:
        inside = path.relative_to(models_dir).parts
        if any(part.startswith(HALF[0]) for part in inside[:-1]):
            continue  # its folder is listed
        if path.name.startswith(HALF[0]) or path.name.endswith(HALF[1]):
            half.append(path)
        elif path.is_file() and path not in known and inside[0] not in KEPT:
            strange.append(path)
    return half, strange


def show_unused(
    remove: Annotated[bool, typer.Option("--remove", help="remove downloads that were broken off")] = False,
    unknown: Annotated[bool, typer.Option("--unknown", help="with --remove: unknown files, too")] = False,
    config: Annotated[Path | None, typer.Option("--config", help="a YAML file of settings")] = None,
) -> None:
    """List what in the folder of weights nothing needs; remove nothing unless told."""
    folder = load_settings(config).storage.models_dir
    console = Console()
    half, strange = unused(folder)
    freed = 0
    for paths, kind, gone in ((half, "broken off", remove), (strange, "unknown", remove and unknown)):
        for path in paths:
            files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
            size = sum(file.stat().st_size for file in files)
            said = "removed" if gone else kind
            console.print(
                f"{said}: {path.relative_to(folder)} ({size / 2**20:.1f} MB)", highlight=False, markup=False
            )
            if gone:
                freed += size
                shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    console.print(
        f"{freed / 2**20:.1f} MB freed" if remove else f"{len(half) + len(strange)} found", highlight=False
    )
