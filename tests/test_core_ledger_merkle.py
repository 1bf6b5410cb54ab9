"""The tree: against an independent, naive reading of RFC 6962."""

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.ledger.merkle import (
    EMPTY_ROOT,
    TILE,
    Range,
    Tree,
    leaf_hash,
    range_of,
    verify_consistency,
    verify_inclusion,
)

LEAVES = [leaf_hash(str(number).encode()) for number in range(1, 1200)]


def naive_root(leaves: list[bytes]) -> bytes:
    """RFC 6962 section 2.1, word by word."""
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return sha256(b"\x01" + naive_root(leaves[:split]) + naive_root(leaves[split:])).digest()


def naive_path(index: int, leaves: list[bytes]) -> list[bytes]:
    """RFC 6962 section 2.1.1."""
    if len(leaves) == 1:
        return []
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    if index < split:
        return [*naive_path(index, leaves[:split]), naive_root(leaves[split:])]
    return [*naive_path(index - split, leaves[split:]), naive_root(leaves[:split])]


def naive_subproof(old: int, leaves: list[bytes], whole: bool) -> list[bytes]:
    """RFC 6962 section 2.1.2."""
    if old == len(leaves):
        return [] if whole else [naive_root(leaves)]
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    if old <= split:
        return [*naive_subproof(old, leaves[:split], whole), naive_root(leaves[split:])]
    return [*naive_subproof(old - split, leaves[split:], False), naive_root(leaves[:split])]


def tree(size: int) -> Tree:
    grown, found = Tree(lambda low, high: LEAVES[low:high]), Range()
    for leaf in LEAVES[:size]:
        tile = found.add(leaf)
        if tile is not None:
            grown.add_tile(tile)
    return grown


def test_empty_tree_has_the_hash_of_nothing() -> None:
    assert Range().root() == EMPTY_ROOT == naive_root([]) == tree(0).root(0)


@pytest.mark.requirement("H5")
def test_every_root_from_1_to_600_is_the_naive_root() -> None:
    found, grown = Range(), tree(600)
    for size in range(1, 601):
        found.add(LEAVES[size - 1])
        wanted = naive_root(LEAVES[:size])
        assert found.root() == wanted
        if size % 7 == 0 or size % TILE in (0, 1, TILE - 1):
            assert grown.root(size) == wanted


@pytest.mark.requirement("H5", "H8")
@given(st.integers(1, 1100), st.data())
def test_inclusion_proof_is_the_naive_path_and_leads_to_the_root(
    size: int, data: st.DataObject
) -> None:
    index = data.draw(st.integers(0, size - 1))
    proof = tree(size).inclusion_proof(index, size)
    assert proof == naive_path(index, LEAVES[:size])
    leaf, root = LEAVES[index], naive_root(LEAVES[:size])
    assert verify_inclusion(leaf, index=index, size=size, proof=proof) == root
    with pytest.raises(ValueError, match="too long"):
        verify_inclusion(leaf, index=index, size=size, proof=[*proof, leaf])
    if proof:
        with pytest.raises(ValueError, match="too short"):
            verify_inclusion(leaf, index=index, size=size, proof=proof[:-1])
        other = verify_inclusion(leaf, index=index, size=size, proof=[leaf, *proof[1:]])
        assert other != root


@pytest.mark.requirement("H5", "H8")
@given(st.integers(0, 1100), st.data())
def test_consistency_proof_is_the_naive_one_and_holds(new: int, data: st.DataObject) -> None:
    old = data.draw(st.integers(0, new))
    proof = tree(new).consistency_proof(old, new)
    old_root, new_root = naive_root(LEAVES[:old]), naive_root(LEAVES[:new])
    if 0 < old < new:
        assert proof == naive_subproof(old, LEAVES[:new], True)
    verify_consistency(old_root, new_root, old=old, new=new, proof=proof)
    with pytest.raises(ValueError, match=r"too long|does not lead"):
        verify_consistency(old_root, new_root, old=old, new=new, proof=[*proof, old_root])
    if proof:
        with pytest.raises(ValueError, match=r"too short|does not lead"):
            verify_consistency(old_root, new_root, old=old, new=new, proof=proof[:-1])
    if 0 < old < new:
        with pytest.raises(ValueError, match="does not lead"):
            verify_consistency(LEAVES[-1], new_root, old=old, new=new, proof=proof)
        with pytest.raises(ValueError, match="does not lead to the new root"):
            verify_consistency(old_root, LEAVES[-1], old=old, new=new, proof=proof)


@pytest.mark.parametrize(("index", "size"), [(-1, 3), (3, 3), (0, 0)])
def test_a_leaf_outside_the_tree_has_no_proof(index: int, size: int) -> None:
    with pytest.raises(ValueError, match="is not in a tree of"):
        tree(8).inclusion_proof(index, size)
    with pytest.raises(ValueError, match="is not in a tree of"):
        verify_inclusion(LEAVES[0], index=index, size=size, proof=[])


@pytest.mark.parametrize(("old", "new"), [(-1, 3), (4, 3)])
def test_a_larger_tree_is_no_prefix(old: int, new: int) -> None:
    with pytest.raises(ValueError, match="is no prefix of"):
        tree(8).consistency_proof(old, new)
    with pytest.raises(ValueError, match="is no prefix of"):
        verify_consistency(LEAVES[0], LEAVES[1], old=old, new=new, proof=[])


def test_equal_sizes_with_other_roots_do_not_hold() -> None:
    with pytest.raises(ValueError, match="the roots differ"):
        verify_consistency(LEAVES[0], LEAVES[1], old=5, new=5, proof=[])


@pytest.mark.parametrize("size", [0, 1, 255, 256, 257, 511, 512, 769, 1100])
def test_a_range_from_tiles_goes_on_as_the_range_from_leaves(size: int) -> None:
    whole, tiles = Range(), []
    for leaf in LEAVES[:size]:
        tile = whole.add(leaf)
        if tile is not None:
            tiles.append(tile)
    again = range_of(tiles, LEAVES[size // TILE * TILE : size])
    assert (again.size, again.nodes) == (whole.size, whole.nodes)
    whole.add(LEAVES[-1])
    again.add(LEAVES[-1])
    assert again.root() == whole.root()
