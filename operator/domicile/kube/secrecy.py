"""What of a server's answer may be said on: a Status alone, and that without the credential, should the server quote it."""

from collections import deque
from collections.abc import Mapping
from typing import Any, cast

from domicile.kube import shape

_DEEPEST = 8
"""Levels. A Status has four."""


class Credentials:
    """The credentials that were sent lately. A renewed one may be quoted by an answer to an older request."""

    def __init__(self) -> None:
        self._sent: deque[str] = deque(maxlen=4)

    def remember(self, authorization: str) -> None:
        """Blank this value of the Authorization header from now on, with its scheme and without."""
        if authorization not in self._sent:
            self._sent.append(authorization)

    def status(self, answer: Any) -> Mapping[str, Any]:
        """The Status with every credential blanked; empty if it is none. Whatever else answers (a proxy, a firewall, an echo)
        may quote the headers of the request in ways that cannot be foreseen."""
        status = shape.mapping(answer)
        return shape.mapping(self._blanked(status, _DEEPEST)) if status.get("kind") == "Status" else {}

    def _blanked(self, value: Any, levels: int) -> Any:
        if isinstance(value, str):
            return self._text(value)
        if not isinstance(value, Mapping | list):
            return value
        if levels == 0:
            return None
        if isinstance(value, list):
            return [self._blanked(item, levels - 1) for item in cast(list[Any], value)]
        entries = cast(Mapping[str, Any], value).items()
        return {self._text(key): self._blanked(item, levels - 1) for key, item in entries}

    def _text(self, text: str) -> str:
        for authorization in self._sent:
            scheme, _, word = authorization.partition(" ")
            text = text.replace(authorization, "[credential]").replace(word or scheme, "[credential]")
        return text
