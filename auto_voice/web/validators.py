"""Checks on what a request asks for."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass

from auto_voice.storage.profiles import SORTABLE

MOST_PER_PAGE = 200
LONGEST_USER_ID = 100


class InvalidParameter(Exception):
    """A parameter that cannot be used."""

    code = "invalid_parameter"

    def __init__(self, name: str, message: str) -> None:
        super().__init__(f"{name}: {message}")
        self.message = f"{name} {message}"
        self.suggestions: list[str] = []


@dataclass(frozen=True)
class Page:
    """Part of a list: `limit` items from `offset` on."""

    offset: int
    limit: int

    def described(self, total: int) -> dict[str, int]:
        """The `pagination` object of an answer, in both documented dialects."""
        return {
            "total": total,
            "offset": self.offset,
            "limit": self.limit,
            "page": self.offset // self.limit + 1,
            "per_page": self.limit,
            "pages": -(-total // self.limit),
        }


def is_plain(text: str, most: int) -> bool:
    """Whether it is a text of at most `most` characters, with none that steer a terminal (Unicode's Cc)."""
    return len(text) <= most and not any(unicodedata.category(c) in ("Cc", "Cs") for c in text)


def whole(query: Mapping[str, str], name: str, default: int, low: int, high: int) -> int:
    """Read a whole number.

    Raises:
        InvalidParameter: it is none, or outside low to high.
    """
    text = query.get(name)
    if text is None:
        return default
    if not re.fullmatch(r"[+-]?[0-9]{1,9}", text) or not low <= int(text) <= high:
        raise InvalidParameter(name, f"must be a whole number from {low} to {high}")
    return int(text)


def pagination(query: Mapping[str, str]) -> Page:
    """Read page/per_page or limit/offset.

    Raises:
        InvalidParameter: not numbers, or out of range.
    """
    limit = whole(query, "limit", whole(query, "per_page", 50, 1, MOST_PER_PAGE), 1, MOST_PER_PAGE)
    page = whole(query, "page", 1, 1, 10**6)
    return Page(whole(query, "offset", (page - 1) * limit, 0, 10**9 - 1), limit)


def user_id(query: Mapping[str, str]) -> str | None:
    """Read whose things are meant; None when nobody is named.

    Raises:
        InvalidParameter: longer than any id, or with control characters.
    """
    text = query.get("user_id") or None
    if text is not None and not is_plain(text, LONGEST_USER_ID):
        raise InvalidParameter("user_id", f"must be a plain text of at most {LONGEST_USER_ID} characters")
    return text


def sorting(query: Mapping[str, str]) -> tuple[str, str]:
    """Read sort_by and order.

    Raises:
        InvalidParameter: something that cannot be sorted by.
    """
    sort_by, order = query.get("sort_by", "created_at"), query.get("order", "desc")
    if sort_by not in SORTABLE:
        raise InvalidParameter("sort_by", f"must be one of {', '.join(SORTABLE)}")
    if order not in ("asc", "desc"):
        raise InvalidParameter("order", "must be asc or desc")
    return sort_by, order
