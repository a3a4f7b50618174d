"""The tree is that of RFC 9162, and its proofs show what they say and nothing else."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domicile.evidence import merkle
from domicile.evidence.merkle import Hash, Tree, leaf

# The entries and roots that implementations of Certificate Transparency compare themselves by.
ENTRIES = [
    bytes.fromhex(each)
    for each in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
]
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


def tree(size: int) -> Tree:
    return Tree(leaf(str(n).encode()) for n in range(size))


def naive(leaves: list[Hash]) -> Hash:
    """The root, written down from the definition."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    half = 1
    while half * 2 < len(leaves):
        half *= 2
    return hashlib.sha256(b"\x01" + naive(leaves[:half]) + naive(leaves[half:])).digest()


def test_roots_are_those_that_others_compute() -> None:
    grown = Tree()
    found: list[str] = []
    for entry in ENTRIES:
        grown.append(leaf(entry))
        found.append(grown.root().hex())
    assert found == ROOTS
    assert [grown.root(size).hex() for size in range(1, 9)] == ROOTS
    assert grown.root(0) == merkle.EMPTY == Tree().root()


def test_roots_of_all_sizes_are_as_defined() -> None:
    grown, leaves = tree(70), [leaf(str(n).encode()) for n in range(70)]
    assert [grown.root(size) for size in range(71)] == [naive(leaves[:size]) for size in range(71)]


def test_every_entry_is_shown_to_be_included_at_its_index_alone() -> None:
    grown = tree(20)
    for size in range(1, 21):
        for index in range(size):
            proof, root, entry = grown.inclusion(index, size), grown.root(size), leaf(str(index).encode())
            assert merkle.includes(root, size, index, entry, proof)
            assert not any(merkle.includes(root, size, other, entry, proof) for other in range(size) if other != index)
            assert not merkle.includes(root, size, index, leaf(b"another"), proof)
            assert not merkle.includes(root, size, index, entry, (*proof, root))
            assert not proof or not merkle.includes(root, size, index, entry, proof[:-1])


@pytest.mark.parametrize("index", [-1, 3])
def test_what_is_not_in_a_tree_is_not_shown(index: int) -> None:
    assert not merkle.includes(tree(3).root(), 3, index, leaf(b"0"), ())
    with pytest.raises(ValueError, match="not among the first 3"):
        tree(3).inclusion(index, 3)


def test_every_longer_tree_is_shown_to_begin_with_every_shorter_one() -> None:
    grown = tree(20)
    for size in range(21):
        for old in range(size + 1):
            proof = grown.consistency(old, size)
            assert merkle.extends(grown.root(old), old, grown.root(size), size, proof)


@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 39), st.binary(min_size=32, max_size=32))
def test_a_tree_that_begins_otherwise_is_not(one: int, two: int, at: int, odd: bytes) -> None:
    old, size = sorted((one, two))
    leaves = [leaf(str(n).encode()) for n in range(size)]
    rewritten = Tree([*leaves[: at % old], odd, *leaves[at % old + 1 :]])
    proof = rewritten.consistency(old, size)
    assert not merkle.extends(Tree(leaves[:old]).root(), old, rewritten.root(), size, proof)
    assert not merkle.extends(Tree(leaves).root(old), old, rewritten.root(), size, Tree(leaves).consistency(old, size))


NOT_SHOWN = {
    "a longer tree before": (4, 3, ()),
    "the same size, and a proof": (3, 3, (merkle.EMPTY,)),
    "nothing before, and a proof": (0, 3, (merkle.EMPTY,)),
    "no proof": (3, 4, ()),
    "a proof too long": (1, 2, (leaf(b"1"), leaf(b"2"))),
    "a proof too short": (2, 8, (leaf(b"1"),)),
}


@pytest.mark.parametrize(("old", "size", "proof"), NOT_SHOWN.values(), ids=NOT_SHOWN)
def test_what_is_no_proof_shows_nothing(old: int, size: int, proof: tuple[Hash, ...]) -> None:
    grown = tree(8)
    assert not merkle.extends(grown.root(old), old, grown.root(size), size, proof)


def test_an_empty_root_that_is_another_is_not_extended() -> None:
    assert not merkle.extends(leaf(b"x"), 0, tree(3).root(), 3, ())


def test_a_tree_cannot_be_asked_for_more_than_it_has() -> None:
    with pytest.raises(ValueError, match="there are 3 entries, and not 4"):
        tree(3).root(4)
    with pytest.raises(ValueError, match="do not begin with 4"):
        tree(5).consistency(4, 3)
