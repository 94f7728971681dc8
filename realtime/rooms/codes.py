"""Codes of rooms: short enough to be said, too many to be guessed, and they tell which process has the room."""

from __future__ import annotations

import secrets

ALPHABET = (
    "23456789ABCDEFGHJKMNPQRSTVWXYZ"  # without what is taken for something else: 0 and O, 1, I and L, U and V
)
LENGTH = 8
PROCESSES = 64  # that may share a port: the remainder of a code's number; 2^33 codes for each


def new_code(process: int = 0) -> str:
    """A code that nobody has had before, in all likelihood.

    Args:
        process: which of the server processes on a port has the room, from 0.
    """
    number = secrets.randbelow(len(ALPHABET) ** LENGTH // PROCESSES) * PROCESSES + process
    digits = []
    for _ in range(LENGTH):
        number, digit = divmod(number, len(ALPHABET))
        digits.append(ALPHABET[digit])
    return "".join(reversed(digits))


def read_code(text: str) -> str | None:
    """A code as people write it, in small letters or with a dash; None where it cannot be one."""
    code = text.upper().replace("-", "").replace(" ", "")
    return code if len(code) == LENGTH and all(letter in ALPHABET for letter in code) else None


def process_of(code: str) -> int:
    """Which process has the room of a code that `read_code` gave."""
    number = 0
    for letter in code:
        number = number * len(ALPHABET) + ALPHABET.index(letter)
    return number % PROCESSES


def spoken(code: str) -> str:
    """A code as it is shown."""
    return f"{code[: LENGTH // 2]}-{code[LENGTH // 2 :]}"
