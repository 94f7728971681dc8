"""The `autovoice` command."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

from auto_voice import __version__
from auto_voice.addresses import is_loopback
from auto_voice.cli_backup import backup
from auto_voice.cli_cache import cache
from auto_voice.cli_config import config as config_commands
from auto_voice.cli_export import export_network
from auto_voice.cli_quality import quality, quality_report
from auto_voice.cli_songs import convert_song, jobs, separate_song
from auto_voice.cli_speech import speak
from auto_voice.cli_users import database, keys, users
from auto_voice.cli_voices import convert_voice, voice_clone, voices
from auto_voice.cli_weights import show_unused
from auto_voice.settings import Settings, SettingsError, load_settings

if TYPE_CHECKING:
    from auto_voice.share import Options

app = typer.Typer(
    help="AutoVoice: sing into the browser and hear another voice.", no_args_is_help=True, add_completion=False
)
app.add_typer(voices, name="voices")
app.add_typer(jobs, name="jobs")
app.add_typer(config_commands, name="config")
app.add_typer(users, name="users")
app.add_typer(keys, name="keys")
app.add_typer(database, name="db")
app.add_typer(backup, name="backup")
app.add_typer(cache, name="cache")
app.command("quality")(quality)
app.command("quality-report")(quality_report)
app.command("weights-unused")(show_unused)
app.command("export")(export_network)
app.command("convert")(convert_song)
app.command("separate")(separate_song)
app.command("voice-clone")(voice_clone)
app.command("convert-voice")(convert_voice)
app.command("tts")(speak)

ConfigOption = Annotated[Path | None, typer.Option("--config", help="a YAML file of settings")]
JsonOption = Annotated[bool, typer.Option("--json", help="print JSON")]


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="address to listen on")] = None,
    port: Annotated[int | None, typer.Option(help="port to listen on")] = None,
    tls: Annotated[
        bool, typer.Option("--tls", help="https, with a self-made certificate unless --cert")
    ] = False,
    cert: Annotated[Path | None, typer.Option(help="PEM certificate (chain)")] = None,
    key: Annotated[Path | None, typer.Option(help="its PEM key")] = None,
    insecure: Annotated[
        bool, typer.Option("--insecure", help="let others in without API keys, beyond this machine")
    ] = False,
    config: ConfigOption = None,
) -> None:
    """Serve the page and the API."""
    from auto_voice.logs import set_up_logging
    from auto_voice.share import Options

    options = Options(config, host, port)
    settings = options.read()
    set_up_logging(settings.logging, settings.server.debug)
    if not (insecure or settings.security.api_key_required or is_loopback(settings.server.host)):
        raise SettingsError(
            f"anybody who reaches {settings.server.host} could use this server",
            "set security.api_key_required and make keys with `autovoice users create`",
            "or, where everybody may, say --insecure",
        )
    if (cert is None) != (key is None):
        raise SettingsError("--cert and --key go together")
    console = Console(stderr=True)
    if tls or cert is not None:
        from auto_voice.tls import fingerprint, own_certificate

        files = (cert, key) if cert and key else own_certificate(settings.storage.data_dir / "tls")
        options = replace(options, certificate=files)
        options.tls()  # what is wrong with it is told at once
        console.print(f"Certificate {files[0]}\n  SHA-256 {fingerprint(files[0])}", highlight=False)
    url = f"{'https' if options.certificate else 'http'}://{settings.server.host}:{settings.server.port}"
    console.print(
        f"AutoVoice {__version__} starts (the first time it compiles for 20 s or so)", highlight=False
    )

    def ready() -> None:
        console.print(f"AutoVoice {__version__} on [bold]{url}[/] (Ctrl+C ends it)", highlight=False)

    try:
        _run(options, settings, ready)
    except OSError as problem:
        raise SettingsError(
            f"cannot listen on {settings.server.host}:{settings.server.port}: {problem.strerror}",
            "choose another with --port, or end what uses it",
        ) from problem


def _run(options: Options, settings: Settings, ready: Callable[[], None]) -> None:
    """Serve in this process, or in several that it starts."""
    if hasattr(signal, "SIGHUP"):  # before the server hears it: what it would read again is being read
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
    if settings.server.workers > 1:
        from auto_voice.processes import Parent

        raise typer.Exit(Parent(options, ready).run())
    from auto_voice.web.app import create_app
    from auto_voice.web.app import serve as run

    run(create_app(settings, options.read), settings, options.tls(), ready)


@app.command("weights")
def fetch_weights(
    names: Annotated[list[str] | None, typer.Argument(help="also these: htdemucs, htdemucs_ft")] = None,
    config: ConfigOption = None,
) -> None:
    """Fetch and verify the weights that AutoVoice needs, and others by name."""
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn

    from pipeline.weights import FILES, REQUIRED, fetch, verified

    folder = load_settings(config).storage.models_dir
    missing = [name for name in REQUIRED if not verified(FILES[name], folder / FILES[name].file_name)]
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
    with Progress(*columns, console=Console(stderr=True)) as bars:
        for name in names or []:
            _fetch_demucs(name, folder, bars)
    if not missing:
        return
    with Progress(*columns, console=Console(stderr=True)) as bars:
        for name in missing:
            bar = bars.add_task(FILES[name].description, total=FILES[name].size_bytes)
            fetch(name, folder, lambda done, total, bar=bar: bars.update(bar, completed=done, total=total))  # type: ignore[misc]


def _fetch_demucs(name: str, folder: Path, bars: Any) -> None:
    from pipeline.separation import DEMUCS, fetch_demucs

    if name not in DEMUCS:
        raise SettingsError(f"there are no weights {name!r}", f"known: {', '.join(DEMUCS)}")
    bar = bars.add_task(name, total=None)
    fetch_demucs(name, folder, lambda done, total: bars.update(bar, completed=done, total=total))


@app.command()
def doctor(as_json: JsonOption = False, config: ConfigOption = None) -> None:
    """Check whether AutoVoice works on this machine; exit code 1 if something does not."""
    from auto_voice.doctor import Verdict, examine

    console = Console()
    verdicts: list[Verdict] = []
    for verdict in examine(load_settings(config)):
        verdicts.append(verdict)
        if not as_json:
            mark = "[green]ok  [/]" if verdict.ok else "[red]FAIL[/]"
            told = verdict.found if verdict.ok else f"{verdict.found} — {verdict.advice}"
            console.print(f"{mark} {verdict.check:10s} {escape(told)}", highlight=False, soft_wrap=True)
    if as_json:
        print(json.dumps([asdict(verdict) for verdict in verdicts], indent=1))
    raise typer.Exit(0 if all(verdict.ok for verdict in verdicts) else 1)


@app.command()
def version() -> None:
    """Print the version."""
    print(__version__)


def _explain(problem: Any) -> int:
    console = Console(stderr=True)
    console.print(f"[red]error:[/] {escape(problem.message)}", highlight=False, soft_wrap=True)
    for suggestion in problem.suggestions:
        console.print(f"  {escape(suggestion)}", highlight=False, soft_wrap=True)
    return 2


def explained(call: Callable[[], object]) -> None:
    """Call something; problems that a person can solve are told in a line, with exit code 2."""
    from auto_voice.jobs.errors import JobError
    from auto_voice.storage.errors import StorageError
    from pipeline.errors import PipelineError

    try:
        call()
    except (SettingsError, StorageError, PipelineError, JobError) as problem:
        sys.exit(_explain(problem))
    except OSError as problem:
        where = f"{problem.filename}: " if problem.filename else ""
        sys.exit(
            _explain(
                SettingsError(f"{where}{problem.strerror or problem}", "check the path and its permissions")
            )
        )


def main() -> None:
    """Run the command."""
    explained(app)


if __name__ == "__main__":
    main()
