"""What a model would pull and could reach, beside its pods: the hosts of its images and artifacts, and those its arguments name."""

import re
from collections.abc import Iterable, Iterator

_AFTER_AUTHORITY = re.compile(r"""[/?#\s"'\\]""")
"""What ends an authority: as in RFC 3986, or a quote or a blank around the URL."""
_LEFT_OUT = re.compile(r"[\t\r\n]")
"""What some readers take out of a URL before they read it."""
_WITHOUT_SLASHES = re.compile(r"(?:https?|wss?|ftp):/?(?![/\\])", re.IGNORECASE)
"""Browsers' URLs: of these schemes the slashes may be missing."""
_WITH_A_PORT = re.compile(r"(?<![\w./:@-])((?:[\w-]+\.)+[\w-]+|\[[0-9A-Fa-f:.]+\]):[0-9]{1,5}(?![\w.])")
"""A name with a dot or an IPv6 address, and a port, as in --endpoint=collector.example:4317."""
_OF_THE_POD = re.compile(r"(?:127\.[0-9.]+|0\.0\.0\.0|\[::1?\]):[0-9]+")
"""Where a server listens, and what it can only reach in its own pod."""


def mirrored(artifact: str, mirrors: Iterable[tuple[str, str]]) -> str:
    """The reference as a member pulls it. The digest stays."""
    host, _, rest = artifact.partition("/")
    return f"{dict(mirrors).get(host, host)}/{rest}"


def registry_hosts(artifacts: Iterable[str], mirrors: Iterable[tuple[str, str]]) -> tuple[str, ...]:
    """Hosts that the member pulls from. Sorted."""
    known = tuple(mirrors)
    return tuple(sorted({mirrored(artifact, known).partition("/")[0] for artifact in artifacts}))


def named_hosts(arguments: Iterable[str]) -> tuple[str, ...]:
    """Hosts in the server's arguments, in URLs or with a port: what it may be told to reach. Sorted. Where two readers of a
    URL would find two hosts in it, both."""
    return tuple(sorted({host.lower() for each in arguments for host in _hosts(each)}))


def _hosts(argument: str) -> Iterator[str]:
    yield from _of_urls(argument)
    if "\\" in argument:
        yield from _of_urls(argument.replace("\\", "/"))
    for found in _WITHOUT_SLASHES.finditer(argument):
        yield _host(argument[found.end() :])
    for found in _WITH_A_PORT.finditer(argument):
        if not _OF_THE_POD.fullmatch(found[0]):
            yield found[0]


def _of_urls(argument: str) -> Iterator[str]:
    for after in argument.split("://")[1:]:
        for text in (after, _LEFT_OUT.sub("", after)):
            yield _host(text)
            # Some take what comes before a later @ to be user information, whatever it is.
            longer = text.partition("/")[0]
            if "@" in longer:
                yield _host(longer.rpartition("@")[2])
        if after.startswith("/"):
            yield _host(after.lstrip("/"))


def _host(text: str) -> str:
    return _AFTER_AUTHORITY.split(text, maxsplit=1)[0].rpartition("@")[2]
