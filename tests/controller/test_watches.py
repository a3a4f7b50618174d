"""What kopf sees is taken in by the event loop's own thread: the store and the queues are made for no other."""

import inspect
from collections.abc import Mapping
from typing import Any

import pytest

from domicile import kube
from domicile.api import KINDS
from domicile.controller import watches
from domicile.kube.endpoint import anonymous

Seen = list[tuple[str, str, Mapping[str, Any]]]


def handler(seen: Seen, plural: str) -> Any:
    """Of events of a kind, as kopf would call it."""
    registry = watches.registry(lambda *told: seen.append(told), kube.Endpoint("https://hub.example", None, anonymous))
    return next(each.fn for each in registry._watching.get_all_handlers() if each.id == f"watch-{plural}")


@pytest.mark.parametrize("plural", [*(kind.info.plural for kind in KINDS), "namespaces"])
async def test_an_event_is_taken_in_by_the_loop_and_by_no_thread_of_kopf(plural: str) -> None:
    seen: Seen = []
    there = {"metadata": {"name": "some"}}
    taking_in = handler(seen, plural)(event={"type": "MODIFIED", "object": there})
    assert inspect.isawaitable(taking_in), "kopf calls what is no coroutine in threads of its own"
    await taking_in
    assert seen == [(plural, "MODIFIED", there)]
