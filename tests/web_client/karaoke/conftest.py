"""The service for the karaoke page, as for the song page: one worker, folders of its own."""

from __future__ import annotations

from tests.web_client.song.conftest import songs

__all__ = ["songs"]
