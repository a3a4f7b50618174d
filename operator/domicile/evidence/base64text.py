"""Bytes as base64, written in one way: there are no bits in it that nobody reads, and that could be flipped unnoticed. Pure."""

import base64


def encoded(value: bytes) -> str:
    """As base64."""
    return base64.b64encode(value).decode()


def decoded(text: str) -> bytes:
    """What was encoded. Raises ValueError for what `encoded` would not have written."""
    try:
        found = base64.b64decode(text, validate=True)
    except ValueError as error:
        raise ValueError(f"it is no base64: {error}") from error
    if encoded(found) != text:
        raise ValueError("its base64 is not as it is written")
    return found
