"""`autovoice cache`: what is kept between songs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from auto_voice.settings import SettingsError, load_settings

cache = typer.Typer(help="Stems, pitch and converted vocals that are kept.", no_args_is_help=True)
ConfigOption = Annotated[Path | None, typer.Option("--config", help="a YAML file of settings")]


@cache.command("clean")
def clean(
    max_size_gb: Annotated[
        float | None, typer.Option(help="instead of storage.max_cache_size_gb", min=0)
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="keep nothing")] = False,
    kind: Annotated[
        str | None, typer.Option(help="keep nothing of stems, pitch, conversion or rendition")
    ] = None,
    unused_days: Annotated[float | None, typer.Option(help="keep what was used since", min=0)] = None,
    config: ConfigOption = None,
) -> None:
    """Remove what is too old, and the least recently used beyond the size; also while songs are made."""
    from auto_voice.storage.cache import KINDS, open_cache

    settings = load_settings(config)
    if kind is not None and kind not in KINDS:
        raise SettingsError(f"the cache holds no {kind!r}", f"known: {', '.join(KINDS)}")
    if kind is not None or unused_days is not None:
        freed = open_cache(settings).clear(kind, 86_400 * (unused_days or 0.0))
        Console().print(f"{freed / 2**20:.1f} MB freed", highlight=False)
        return
    size = 0.0 if everything else max_size_gb
    if size is not None:
        storage = settings.storage.model_copy(update={"max_cache_size_gb": size})
        settings = settings.model_copy(update={"storage": storage})
    freed = open_cache(settings).clean()
    Console().print(f"{freed / 2**20:.1f} MB freed", highlight=False)
