"""Where a request finds what holds now: the settings, and whether the server is about to end."""

import asyncio

from aiohttp import web

from auto_voice.configuration import Current

CURRENT = web.AppKey("current", Current)
ENDING = web.AppKey("ending", asyncio.Event)  # set once the server has been told to end
