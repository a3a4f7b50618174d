"""Lists and deletes nftables tables of the family inet, in the kernel's own words: the command nft may not be there."""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Iterator

# linux/netlink.h, nfnetlink.h, nf_tables.h
_NETLINK_NETFILTER = 12
_ERROR, _DONE = 2, 3
_REQUEST, _ACK, _DUMP = 0x1, 0x4, 0x300
_BATCH_BEGIN, _BATCH_END = 0x10, 0x11
_NFTABLES = 10
_NEW_TABLE, _GET_TABLE, _DELETE_TABLE = (_NFTABLES << 8 | number for number in range(3))
_NAME = 1
_INET = 1
_SECONDS = 5.0


def delete(table: str) -> None:
    """Does nothing when it is not there."""
    with _socket() as kernel:
        kernel.send(
            _message(_BATCH_BEGIN, _REQUEST, resource=_NFTABLES)
            + _message(_DELETE_TABLE, _REQUEST | _ACK, _INET, body=_attribute(_NAME, table.encode() + b"\0"))
            + _message(_BATCH_END, _REQUEST, resource=_NFTABLES)
        )
        for kind, body in _messages(kernel.recv(65536)):
            (error,) = struct.unpack_from("=i", body)
            if kind == _ERROR and error not in (0, -2):  # ENOENT
                raise OSError(-error, os.strerror(-error), f"nftables table {table}")


def tables() -> list[str]:
    found: list[str] = []
    with _socket() as kernel:
        kernel.send(_message(_GET_TABLE, _REQUEST | _DUMP, _INET))
        while True:
            for kind, body in _messages(kernel.recv(65536)):
                if kind == _NEW_TABLE:
                    found += [value.rstrip(b"\0").decode() for name, value in _attributes(body[4:]) if name == _NAME]
                else:  # the end, or that there are no nftables
                    return found


def _socket() -> socket.socket:
    opened = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_NETFILTER)
    opened.settimeout(_SECONDS)
    return opened


def _message(kind: int, flags: int, family: int = 0, resource: int = 0, body: bytes = b"") -> bytes:
    header = struct.pack("=IHHII", 20 + len(body), kind, flags, 1, 0)
    return header + struct.pack("=BB", family, 0) + struct.pack("!H", resource) + body


def _messages(raw: bytes) -> Iterator[tuple[int, bytes]]:
    while len(raw) >= 16:
        length, kind = struct.unpack_from("=IH", raw)
        yield kind, raw[16:length]
        raw = raw[length + 3 & ~3 :]


def _attribute(name: int, value: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(value), name) + value + b"\0" * (-len(value) % 4)


def _attributes(raw: bytes) -> Iterator[tuple[int, bytes]]:
    while len(raw) >= 4:
        length, name = struct.unpack_from("=HH", raw)
        yield name, raw[4:length]
        raw = raw[length + 3 & ~3 :]
