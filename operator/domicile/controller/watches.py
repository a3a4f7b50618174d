"""kopf's part: watching the hub, without a write. Its events feed the store and wake what they can affect."""

import asyncio
import logging
import signal
import threading
from collections.abc import Callable, Mapping
from typing import Any

from domicile import kube
from domicile.api import GROUP, KINDS, VERSION
from domicile.controller.settings import Settings
from domicile.importing import as_if_missing

# kopf imports the client's models, to know objects of these by their types: two thirds of the operator's start.
with as_if_missing("kubernetes.client"):
    import kopf


def registry(on_object: Callable[[str, str, Mapping[str, Any]], None], hub: kube.Endpoint) -> kopf.OperatorRegistry:
    """Handlers for all our kinds and for namespaces. `on_object(plural, type, object)` must not block or raise."""
    handlers = kopf.OperatorRegistry()

    def watch(group: str, version: str, plural: str) -> None:
        # on.event alone: kopf's other handlers keep their state in annotations, at two to three writes an object.
        # async: kopf calls others in threads of its own, and neither the store nor the queues are made for that.
        @kopf.on.event(group, version, plural, registry=handlers, id=f"watch-{plural}")
        async def seen(event: Mapping[str, Any], **_: Any) -> None:
            on_object(plural, str(event.get("type") or ""), event["object"])

    for kind in KINDS:
        watch(GROUP, VERSION, kind.info.plural)
    watch("", "v1", "namespaces")

    @kopf.on.login(registry=handlers, id="login")
    async def login(**_: Any) -> kopf.AiohttpSession:
        # kopf closes it, and asks for another one, when the hub says 401.
        return kopf.AiohttpSession(server=hub.server, aiohttp_session=kube.authorized_session(hub))

    return handlers


async def run(handlers: kopf.OperatorRegistry, settings: Settings, stop: asyncio.Event) -> None:
    """Watch until cancelled; signals set `stop`. Raises what ended the watching otherwise."""
    # It logs each event that a handler has seen, twice.
    logging.getLogger("kopf.objects").setLevel(logging.WARNING)
    others = asyncio.all_tasks()
    spawned = await kopf.spawn_tasks(
        registry=handlers,
        settings=_settings(settings),
        # Leader election is ours, by a Lease: kopf's peering is no lock.
        standalone=True,
        clusterwide=True,
    )
    _take_signals_back(stop)
    await kopf.run_tasks(spawned, ignored=others)


def _take_signals_back(stop: asyncio.Event) -> None:
    """kopf handles signals from when it begins, and gives all other tasks 5 s to end: so long nobody would lead."""
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)


def _settings(ours: Settings) -> kopf.OperatorSettings:
    settings = kopf.OperatorSettings()
    settings.posting.enabled = False
    settings.scanning.disabled = True
    settings.queueing.idle_timeout = 1.0
    # An int: the API server takes no fractions, and kopf passes on what it is given.
    settings.watching.server_timeout = ours.watch_seconds
    settings.watching.connect_timeout = 5.0
    settings.process.ultimate_exiting_timeout = None
    return settings
