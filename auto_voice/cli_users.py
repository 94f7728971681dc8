"""`autovoice users`, `autovoice keys`, `autovoice db`: who may use the server."""

from __future__ import annotations

import json
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from auto_voice.settings import load_settings
from auto_voice.storage.database import migrate
from auto_voice.storage.users import Key, Role, UserStore

users = typer.Typer(help="Who may use the server.", no_args_is_help=True)
keys = typer.Typer(help="The keys that users call the API with.", no_args_is_help=True)
database = typer.Typer(help="The database of jobs, users and keys.", no_args_is_help=True)

ConfigOption = Annotated[Path | None, typer.Option("--config", help="a YAML file of settings")]
JsonOption = Annotated[bool, typer.Option("--json", help="print JSON")]


def _store(config: Path | None) -> closing[UserStore]:
    url = load_settings(config).database_url
    migrate(url)
    return closing(UserStore(url))


def _table(columns: tuple[str, ...], rows: list[tuple[str, ...]], as_json: bool) -> None:
    if as_json:
        print(json.dumps([dict(zip(columns, row, strict=True)) for row in rows], indent=1))
        return
    table = Table(*columns, box=None, pad_edge=False)
    for row in rows:
        table.add_row(*row)
    Console().print(table)


@database.command("migrate")
def migrate_database(config: ConfigOption = None) -> None:
    """Bring the database to the newest schema; what is there is kept."""
    migrate(load_settings(config).database_url)
    Console(stderr=True).print("The database has the newest schema.")


@users.command("create")
def create_user(
    name: Annotated[str, typer.Argument(help="letters, digits, . _ @ -")],
    role: Annotated[Role, typer.Option(help="an admin reaches what is everybody's")] = Role.USER,
    config: ConfigOption = None,
) -> None:
    """Add a user, with a first key, which is printed once."""
    with _store(config) as store:
        store.create_user(name, role)
        text, _ = store.create_key(name, "first")
    Console(stderr=True).print(f"{name} is a user now. The key, which cannot be shown again:", highlight=False)
    print(text)


@users.command("list")
def list_users(as_json: JsonOption = False, config: ConfigOption = None) -> None:
    """Print all users."""
    with _store(config) as store:
        _table(("name", "role"), [(name, str(role)) for name, role in store.list_users()], as_json)


@keys.command("create")
def create_key(
    user: Annotated[str, typer.Argument(help="whose it is")],
    label: Annotated[str, typer.Option(help="what it is for")] = "",
    days: Annotated[float | None, typer.Option(help="that it is valid; otherwise it does not expire")] = None,
    config: ConfigOption = None,
) -> None:
    """Make another key for a user; it is printed once."""
    with _store(config) as store:
        text, key = store.create_key(user, label, days)
    Console(stderr=True).print(f"Key {key.id}, which cannot be shown again:", highlight=False)
    print(text)


@keys.command("list")
def list_keys(
    user: Annotated[str | None, typer.Argument(help="only this user's")] = None,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Print what is known of keys; their secrets are not."""
    with _store(config) as store:
        rows = [_row(key) for key in store.list_keys(user)]
    _table(("id", "user", "label", "created", "expires", "revoked", "last_used"), rows, as_json)


@keys.command("revoke")
def revoke_key(
    key_id: Annotated[str, typer.Argument(help="see `autovoice keys list`")], config: ConfigOption = None
) -> None:
    """Let a key be valid no more, at once."""
    with _store(config) as store:
        store.revoke(key_id)
    Console(stderr=True).print(f"Key {key_id} is not valid any more.", highlight=False)


def _row(key: Key) -> tuple[str, ...]:
    times = (key.created_at, key.expires_at, key.revoked_at, key.last_used_at)
    return (key.id, key.user, key.label, *map(_time, times))


def _time(seconds: float | None) -> str:
    return "" if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
