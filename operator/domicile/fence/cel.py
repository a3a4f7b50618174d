"""Literals of CEL, and the few expressions that several policies share."""

import json
from collections.abc import Iterable, Mapping
from typing import Final

from domicile.fence.labels import MANAGED_NAMESPACE


def string(text: str) -> str:
    """A string literal. JSON's escapes are among those of CEL."""
    return json.dumps(text)


def strings(texts: Iterable[str]) -> str:
    """A list literal."""
    return f"[{', '.join(string(text) for text in texts)}]"


def table(rows: Mapping[str, Iterable[str]]) -> str:
    """A map literal, from strings to lists of strings."""
    return f"{{{', '.join(f'{string(key)}: {strings(rows[key])}' for key in sorted(rows))}}}"


def by(user: str) -> str:
    """Whether that user asks."""
    return f"request.userInfo.username == {string(user)}"


def managed(namespace: str) -> str:
    """Whether the labels of `namespace`, a Namespace object, say that it is Domicile's."""
    key, value = MANAGED_NAMESPACE
    return f"{namespace}.metadata.?labels[?{string(key)}].orValue('') == {string(value)}"


SUBRESOURCE: Final = "request.?subResource.orValue('')"
KEY: Final = (
    f"request.resource.group + '/' + request.resource.resource + ({SUBRESOURCE} == '' ? '' : '/' + {SUBRESOURCE})"
)
"""The kind that is written, as `Writers` names it."""
CONTENT: Final = (
    "object.all(k, k == 'metadata' || (k in oldObject && object[k] == oldObject[k])) && oldObject.all(k, k in object)"
)
"""Whether an update leaves alone all but the metadata, whatever fields the kind has."""


def same(*fields: str) -> str:
    """Whether an update leaves these fields of the metadata alone."""
    return " && ".join(f"object.metadata.?{field} == oldObject.metadata.?{field}" for field in fields)
