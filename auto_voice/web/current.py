"""Where a request finds the settings that hold now."""

from aiohttp import web

from auto_voice.configuration import Current

CURRENT = web.AppKey("current", Current)
