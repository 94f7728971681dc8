"""The commands about RVC voices: import them, change what is set for them, merge two."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ParamSpec, TypeVar

import typer
from rich.console import Console
from rich.markup import escape

from auto_voice.cli_voices import ConfigOption, open_store
from auto_voice.settings import Settings, SettingsError, load_settings

if TYPE_CHECKING:
    from auto_voice.storage.profiles import ProfileStore

P = ParamSpec("P")
R = TypeVar("R")

UserOption = Annotated[str, typer.Option(help="whom the voice belongs to")]
NameOption = Annotated[str | None, typer.Option(help="what it is called")]
PictureOption = Annotated[Path | None, typer.Option(help="a PNG, JPEG or WebP")]
SpeakerOption = Annotated[int | None, typer.Option(help="which speaker of the model, from 0")]
PitchOption = Annotated[float | None, typer.Option(help="semitones that are added to what a singer sets")]
FormantOption = Annotated[float | None, typer.Option(help="semitones")]
IndexRateOption = Annotated[float | None, typer.Option(help="how much is drawn to the index, 0 to 1")]
ProtectOption = Annotated[float | None, typer.Option(help="of that, where nothing is voiced, 0 to 0.5")]
RmsMixOption = Annotated[float | None, typer.Option(help="1: the model's loudness, 0: the singer's")]
MedianOption = Annotated[
    float | None, typer.Option("--median-f0", metavar="HZ", help="pitch in the middle of the voice's range")
]


def import_rvc(
    model: Annotated[Path, typer.Argument(help="an RVC voice: a .pth", exists=True, dir_okay=False)],
    user_id: UserOption,
    index: Annotated[Path | None, typer.Option(help="its added_….index", exists=True, dir_okay=False)] = None,
    name: NameOption = None,
    description: Annotated[str, typer.Option(help="anything worth knowing")] = "",
    picture: PictureOption = None,
    speaker: SpeakerOption = None,
    pitch: PitchOption = None,
    formant: FormantOption = None,
    index_rate: IndexRateOption = None,
    protect: ProtectOption = None,
    rms_mix: RmsMixOption = None,
    median_f0: MedianOption = None,
    config: ConfigOption = None,
) -> None:
    """Import an RVC voice. Nothing in its files is run."""
    from auto_voice.voice_import import Brought, import_voice

    settings = load_settings(config)
    given = _given(speaker, pitch, formant, index_rate, protect, rms_mix, median_f0)
    brought = Brought(model.absolute(), _absolute(index), _absolute(picture), given)
    with open_store(settings).new_folder() as folder:
        facts = _apart(settings, import_voice, brought, folder.path)
        made = folder.keep(facts, user_id, name or model.stem[:100], description)
    _tell(made)


def set_rvc(
    voice_id: str,
    user_id: UserOption,
    name: NameOption = None,
    description: Annotated[str | None, typer.Option(help="anything worth knowing")] = None,
    picture: PictureOption = None,
    no_picture: Annotated[bool, typer.Option("--no-picture", help="take the picture away")] = False,
    speaker: SpeakerOption = None,
    pitch: PitchOption = None,
    formant: FormantOption = None,
    index_rate: IndexRateOption = None,
    protect: ProtectOption = None,
    rms_mix: RmsMixOption = None,
    median_f0: MedianOption = None,
    config: ConfigOption = None,
) -> None:
    """Change what a voice is called, its picture, and (RVC voices) how it sings unless told otherwise."""
    from auto_voice.pictures import draw
    from auto_voice.storage.profiles import RVC
    from auto_voice.storage.rvc_voices import described, settings_of

    settings = load_settings(config)
    store = open_store(settings)
    profile = store.get(voice_id)
    fields: dict[str, Any] = {}
    if name is not None:
        fields["profile_name"] = name
    if description is not None:
        fields["description"] = description
    given = _given(speaker, pitch, formant, index_rate, protect, rms_mix, median_f0)
    if given:
        if profile["kind"] != RVC:
            raise SettingsError("only RVC voices have such settings", "leave them out")
        try:
            made = settings_of(profile["settings"] | given, profile["model"]["speakers"])
        except ValueError as problem:
            raise SettingsError(str(problem)) from problem
        fields["settings"] = described(made)
    drawn = None if picture is None else _apart(settings, draw, picture.absolute())
    profile = store.change(voice_id, user_id, **fields)
    if drawn is not None or no_picture:
        profile = store.change_picture(voice_id, user_id, drawn)
    _tell(profile)


def merge_rvc(
    first: Annotated[str, typer.Argument(help="id of an RVC voice")],
    second: Annotated[str, typer.Argument(help="id of another, trained alike")],
    user_id: UserOption,
    share: Annotated[float, typer.Option(min=0, max=1, help="of the second voice, 0 to 1")] = 0.5,
    name: NameOption = None,
    config: ConfigOption = None,
) -> None:
    """Make a voice between two RVC voices of one user."""
    from auto_voice.storage.errors import NotYourProfile
    from auto_voice.storage.profiles import RVC
    from auto_voice.voice_import import Parent, merge_voices

    settings = load_settings(config)
    store: ProfileStore = open_store(settings)
    profiles = [store.get(first), store.get(second)]
    for profile in profiles:
        if profile["kind"] != RVC:
            raise SettingsError(
                f"{profile['profile_name']!r} is no RVC voice", "voices of other kinds are blended: --blend"
            )
        if profile["user_id"] != user_id:
            raise NotYourProfile("only voices of one's own can be merged")
    parents = [
        Parent(store.files(profile["profile_id"]), profile["settings"]["speaker"], profile["settings"])
        for profile in profiles
    ]
    with store.new_folder() as folder:
        facts = _apart(settings, merge_voices, parents[0], parents[1], share, folder.path)
        names = " + ".join(profile["profile_name"] for profile in profiles)
        made = folder.keep(facts, user_id, name or names[:100])
    _tell(made)


def _given(
    speaker: int | None,
    pitch: float | None,
    formant: float | None,
    index_rate: float | None,
    protect: float | None,
    rms_mix: float | None,
    median_f0: float | None,
) -> dict[str, Any]:
    """The settings that were named."""
    named = {
        "speaker": speaker,
        "pitch_semitones": pitch,
        "formant_semitones": formant,
        "index_rate": index_rate,
        "protect": protect,
        "rms_mix": rms_mix,
        "median_f0_hz": median_f0,
    }
    return {name: value for name, value in named.items() if value is not None}


def _absolute(path: Path | None) -> Path | None:
    return None if path is None else path.absolute()


def _apart(settings: Settings, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Let a process with limits read what may come from anybody.

    Raises:
        SettingsError: it took too long, too much memory, or the process.
    """
    from auto_voice.apart import Apart, WorkDied, WorkTooLarge, WorkTooLong

    limits, apart = settings.limits, None

    async def work() -> R:
        nonlocal apart
        apart = Apart(1, limits.upload_memory_mb)
        return await apart.run(limits.upload_seconds, function, *args, **kwargs)

    try:
        return asyncio.run(work())
    except (WorkTooLong, WorkTooLarge, WorkDied) as problem:
        raise SettingsError(
            f"the file could not be read: {problem}", "choose another, or raise limits.upload_…"
        ) from problem
    finally:
        if apart is not None:
            apart.close()


def _tell(profile: dict[str, Any]) -> None:
    console = Console(stderr=True)
    name = escape(profile["profile_name"])
    console.print(f"[green]{name}[/] is voice [bold]{profile['profile_id']}[/]", highlight=False)
    if "model" in profile:
        model = profile["model"]
        kind = f"RVC {model['version']}, {model['sample_rate'] // 1000} kHz"
        speakers = f"{model['speakers']} speaker{'s' * (model['speakers'] > 1)}"
        features = model["index_features"]
        index = f"index of {features} features" if features else "no index"
        console.print(f"  {kind}, {speakers}, {index}", highlight=False)
    for warning in profile.get("warnings", []):
        console.print(f"  [yellow]note:[/] {escape(warning)}", highlight=False)
    for need in profile["needs"]:
        console.print(f"  [yellow]note:[/] it cannot sing before you run: {need['command']}", highlight=False)
