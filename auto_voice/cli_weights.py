"""`autovoice weights-unused`: what in the folder of weights nothing needs."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from auto_voice.settings import load_settings

HALF = (".fetch-", ".part")  # downloads that were broken off


def unused(models_dir: Path) -> tuple[list[Path], list[Path]]:
    """Half downloads, and files that no version of ours knows; Demucs models, which people bring, are known."""
    from pipeline.weights import FILES

    known = {models_dir / file.file_name for file in FILES.values()}
    half: list[Path] = []
    strange: list[Path] = []
    for path in sorted(models_dir.rglob("*")) if models_dir.is_dir() else []:
        inside = path.relative_to(models_dir).parts
        if any(part.startswith(HALF[0]) for part in inside[:-1]):
            continue  # its folder is listed
        if path.name.startswith(HALF[0]) or path.name.endswith(HALF[1]):
            half.append(path)
        elif path.is_file() and path not in known and inside[0] != "demucs":
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
