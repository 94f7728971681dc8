"""The pages and their files, and the headers that every answer has."""

from __future__ import annotations

from pathlib import Path

from aiohttp import web

CLIENT = Path(__file__).resolve().parents[2] / "web_client"

HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
        "media-src 'self' blob:; font-src 'self'; worker-src 'self'; manifest-src 'self'; "
        "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "microphone=(self), camera=(), geolocation=(), payment=(), usb=()",
    "X-Frame-Options": "DENY",
    "Cache-Control": "no-cache",
}


async def add_headers(request: web.Request, response: web.StreamResponse) -> None:
    """Say what browsers may do with an answer."""
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)


async def _index(request: web.Request) -> web.FileResponse:
    return web.FileResponse(CLIENT / "index.html")


async def _song(request: web.Request) -> web.FileResponse:
    return web.FileResponse(CLIENT / "song.html")


async def _karaoke(request: web.Request) -> web.FileResponse:
    return web.FileResponse(CLIENT / "karaoke.html")


def add_routes(app: web.Application) -> None:
    """Register the pages."""
    app.router.add_get("/", _index)
    app.router.add_get("/song", _song)
    app.router.add_get("/karaoke", _karaoke)
    app.router.add_static("/client", CLIENT)
