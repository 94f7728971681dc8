"""`autovoice backup`: make, check and restore archives."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from auto_voice.settings import load_settings, named_files

backup = typer.Typer(help="Archives of voices, database and secret.", no_args_is_help=True)
ConfigOption = Annotated[Path | None, typer.Option("--config", help="a YAML file of settings")]
ArchiveArgument = Annotated[Path, typer.Argument(help="autovoice-….tar.gz")]


@backup.command("make")
def make(
    folder: Annotated[Path, typer.Argument(help="of backups")],
    keep_days: Annotated[float | None, typer.Option(help="remove older archives from the folder")] = None,
    config: ConfigOption = None,
) -> None:
    """Write an archive of this moment, also while the server works, and print its path."""
    from auto_voice.backup import make_backup

    print(make_backup(load_settings(config), folder, keep_days, named_files(config)))


@backup.command("check")
def check(archive: ArchiveArgument) -> None:
    """Read an archive to its end; exit code 2 if it is damaged."""
    from auto_voice.backup import check_backup

    held = check_backup(archive)
    database = "a database" if held.database else "no database"
    Console().print(
        f"{held.profiles} voices and {database} of {held.made_at}, by {held.version}", highlight=False
    )


@backup.command("restore")
def restore_archive(archive: ArchiveArgument, config: ConfigOption = None) -> None:
    """Put back what an archive holds; end the server first. Settings of then are put aside, to compare."""
    from auto_voice.backup import restore
    from auto_voice.storage.database import migrate

    settings = load_settings(config)
    held = restore(settings, archive)
    migrate(settings.database_url)  # an archive may be older than this version
    Console().print(f"{held.profiles} voices of {held.made_at} are back.", highlight=False)
