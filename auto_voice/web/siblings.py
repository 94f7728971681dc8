"""What the server processes on one port ask each other, at Unix sockets that nobody else can reach.

That is their metrics, and what came to one of them and is for another (`forward`).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping

import aiohttp
from aiohttp import web
from prometheus_client import generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

from auto_voice.share import Share

PATH = "/metrics"
TIMEOUT_S = 2.0
STOP_S = 1.0


def answering(
    share: Share, own: Callable[[], bytes], taken: Iterable[str] = ()
) -> Callable[[web.Application], AsyncIterator[None]]:
    """An aiohttp cleanup context that answers the other processes.

    Args:
        share: which process this is.
        own: its metrics as text; called in a thread.
        taken: paths at which it takes what came to the others.
    """

    async def show(request: web.Request) -> web.Response:
        return web.Response(body=await asyncio.to_thread(own))

    async def context(app: web.Application) -> AsyncIterator[None]:
        async def take(request: web.Request) -> web.StreamResponse:
            return await app._handle(request)  # as if it had come here by itself, without TLS

        inner = web.Application()
        inner.router.add_get(PATH, show)
        for path in taken:
            inner.router.add_route("*", path, take)
        runner = web.AppRunner(inner, access_log=None, shutdown_timeout=STOP_S)
        await runner.setup()
        socket = share.socket(share.index)
        socket.unlink(missing_ok=True)  # of one that died
        await web.UnixSite(runner, socket).start()
        yield
        await runner.cleanup()

    return context


async def ask_all(share: Share, own: Callable[[], bytes]) -> dict[int, str | None]:
    """The metrics of every process by its index; None where one does not answer."""
    others = [index for index in range(share.count) if index != share.index]
    told: list[str | None] = await asyncio.gather(*(_ask(share, index) for index in others))
    mine = (await asyncio.to_thread(own)).decode()
    return dict(sorted([(share.index, mine), *zip(others, told, strict=True)]))


async def _ask(share: Share, index: int) -> str | None:
    try:
        async with (
            aiohttp.ClientSession(
                connector=aiohttp.UnixConnector(str(share.socket(index))),
                timeout=aiohttp.ClientTimeout(total=TIMEOUT_S),
            ) as session,
            session.get(f"http://sibling{PATH}") as response,
        ):
            return await response.text()
    except (aiohttp.ClientError, OSError, TimeoutError):
        return None


def together(texts: Mapping[int, str | None]) -> bytes:
    """One text of several processes' metrics: each sample has the label `process`; whoever asks may add up."""
    up = GaugeMetricFamily("autovoice_process_up", "Server processes that answer", labels=["process"])
    families: dict[str, Metric] = {up.name: up}
    for index, text in texts.items():
        up.add_metric([str(index)], 0 if text is None else 1)
        for family in text_string_to_metric_families(text or ""):
            known = families.setdefault(family.name, Metric(family.name, family.documentation, family.type))
            for sample in family.samples:
                known.samples.append(sample._replace(labels={**sample.labels, "process": str(index)}))
    return generate_latest(_Collected(families))


class _Collected(Collector):
    """Families that are there already."""

    def __init__(self, families: Mapping[str, Metric]) -> None:
        self._families = families

    def collect(self) -> Iterator[Metric]:
        """All of them."""
        yield from self._families.values()
