"""Merkle trees over a log, as RFC 9162 (section 2.1) defines them: a root says what the first n entries are, a proof shows that one is
among them, or that a longer log begins with a shorter one. Pure."""

import hashlib
from collections.abc import Iterable, Sequence
from typing import Final

Hash = bytes
"""32 bytes of SHA-256."""
EMPTY: Final[Hash] = hashlib.sha256(b"").digest()
"""Root of the tree without entries."""


def leaf(entry: bytes) -> Hash:
    """Hash of an entry. It begins with another byte than inner nodes do, so that none can be taken for the other."""
    return hashlib.sha256(b"\x00" + entry).digest()


def _node(left: Hash, right: Hash) -> Hash:
    return hashlib.sha256(b"\x01" + left + right).digest()


class Tree:
    """A tree that only grows. It keeps the hash of every full subtree: about 64 bytes an entry, for proofs in logarithmic time."""

    def __init__(self, leaves: Iterable[Hash] = ()) -> None:
        self._levels: list[list[Hash]] = [[]]
        """By height: the full subtrees, from the left."""
        for each in leaves:
            self.append(each)

    def __len__(self) -> int:
        return len(self._levels[0])

    def append(self, leaf: Hash) -> None:
        """One entry more."""
        self._levels[0].append(leaf)
        height = 0
        while len(self._levels[height]) % 2 == 0:
            left, right = self._levels[height][-2:]
            height += 1
            if height == len(self._levels):
                self._levels.append([])
            self._levels[height].append(_node(left, right))

    def root(self, size: int | None = None) -> Hash:
        """Of the first `size` entries, or of all. Raises ValueError where there are not so many."""
        size = self._at_most(len(self) if size is None else size)
        return self._of(0, size) if size else EMPTY

    def leaf(self, index: int) -> Hash:
        """Hash of the entry at this index."""
        return self._levels[0][index]

    def root_with(self, more: Iterable[Hash]) -> Hash:
        """The root that it would have with these as well."""
        count = len(self)
        peaks = [(h, level[(count >> h) - 1]) for h, level in reversed([*enumerate(self._levels)]) if count >> h & 1]
        for leaf in more:
            peaks.append((0, leaf))
            while len(peaks) > 1 and peaks[-1][0] == peaks[-2][0]:
                (height, left), (_, right) = peaks[-2:]
                peaks[-2:] = [(height + 1, _node(left, right))]
        roots = [peak for _, peak in peaks]
        while len(roots) > 1:
            roots[-2:] = [_node(*roots[-2:])]
        return roots[0] if roots else EMPTY

    def inclusion(self, index: int, size: int) -> tuple[Hash, ...]:
        """That the entry at this index is among the first `size`."""
        if not 0 <= index < self._at_most(size):
            raise ValueError(f"entry {index} is not among the first {size}")
        return tuple(self._path(index, 0, size))

    def consistency(self, old: int, size: int) -> tuple[Hash, ...]:
        """That the first `size` entries begin with the first `old`."""
        if not 0 <= old <= self._at_most(size):
            raise ValueError(f"the first {size} entries do not begin with {old}")
        return tuple(self._shared(old, 0, size, True)) if old else ()

    def _at_most(self, size: int) -> int:
        if not 0 <= size <= len(self):
            raise ValueError(f"there are {len(self)} entries, and not {size}")
        return size

    def _of(self, begin: int, end: int) -> Hash:
        """Root of the entries from `begin` up to `end`, where they are a subtree."""
        count = end - begin
        height = count.bit_length() - 1
        if count == 1 << height:
            return self._levels[height][begin >> height]
        middle = begin + _left(count)
        return _node(self._of(begin, middle), self._of(middle, end))

    def _path(self, index: int, begin: int, end: int) -> Iterable[Hash]:
        """From the entry up."""
        if end - begin == 1:
            return
        middle = begin + _left(end - begin)
        if index < middle:
            yield from self._path(index, begin, middle)
            yield self._of(middle, end)
        else:
            yield from self._path(index, middle, end)
            yield self._of(begin, middle)

    def _shared(self, old: int, begin: int, end: int, whole: bool) -> Iterable[Hash]:
        """`whole`: the subtree is one whose root is known to who knows the old root."""
        if end == old:
            if not whole:
                yield self._of(begin, end)
            return
        middle = begin + _left(end - begin)
        if old <= middle:
            yield from self._shared(old, begin, middle, whole)
            yield self._of(middle, end)
        else:
            yield from self._shared(old, middle, end, False)
            yield self._of(begin, middle)


def _left(count: int) -> int:
    """How many entries the left half has: the largest power of two below their number."""
    return 1 << ((count - 1).bit_length() - 1)


def includes(root: Hash, size: int, index: int, leaf: Hash, proof: Sequence[Hash]) -> bool:
    """Whether the proof shows that the entry is at this index of the first `size`, whose root is given."""
    if not 0 <= index < size:
        return False
    at, last, found = index, size - 1, leaf
    for each in proof:
        if last == 0:
            return False
        if at % 2 == 1 or at == last:
            found = _node(each, found)
            while at % 2 == 0 and at:
                at, last = at >> 1, last >> 1
        else:
            found = _node(found, each)
        at, last = at >> 1, last >> 1
    return last == 0 and found == root


def extends(old_root: Hash, old: int, root: Hash, size: int, proof: Sequence[Hash]) -> bool:
    """Whether the proof shows that the first `size` entries, with that root, begin with the first `old`, with theirs."""
    if not 0 <= old <= size:
        return False
    if old == size:
        return not proof and old_root == root
    if old == 0:
        return not proof and old_root == EMPTY
    path = (old_root, *proof) if old & (old - 1) == 0 else tuple(proof)
    if not path:
        return False
    at, last = old - 1, size - 1
    while at % 2 == 1:
        at, last = at >> 1, last >> 1
    before = after = path[0]
    for each in path[1:]:
        if last == 0:
            return False
        if at % 2 == 1 or at == last:
            before, after = _node(each, before), _node(each, after)
            while at % 2 == 0 and at:
                at, last = at >> 1, last >> 1
        else:
            after = _node(after, each)
        at, last = at >> 1, last >> 1
    return last == 0 and before == old_root and after == root
