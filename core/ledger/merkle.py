"""The Merkle tree of RFC 6962 and RFC 9162 over leaf hashes; leaf index from 0.

A `Range` appends with logarithmic memory. Every 256 leaves close a *tile*, whose root is stored,
so that a start and a proof read tile roots and at most two tiles of leaves, never the whole log.

Source:
    RFC 9162 sections 2.1.1 to 2.1.4.
"""

from collections.abc import Callable, Iterable, Sequence
from hashlib import sha256

TILE_LEVEL = 8
TILE = 1 << TILE_LEVEL
EMPTY_ROOT = sha256(b"").digest()


def leaf_hash(body: bytes) -> bytes:
    """Return the leaf hash of an entry's stored bytes."""
    return sha256(b"\x00" + body).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of an inner node."""
    return sha256(b"\x01" + left + right).digest()


class Range:
    """A compact range: the complete subtrees of a growing log, the largest first."""

    __slots__ = ("nodes", "size")

    def __init__(self, nodes: Iterable[bytes] = (), size: int = 0) -> None:
        self.nodes = list(nodes)
        self.size = size

    def add(self, leaf: bytes) -> bytes | None:
        """Append one leaf, and return the root of the tile that it closes, if it closes one."""
        nodes, rest, level, tile = self.nodes, self.size, 0, None
        self.size += 1
        while rest & 1:
            leaf = node_hash(nodes.pop(), leaf)
            rest >>= 1
            level += 1
            if level == TILE_LEVEL:
                tile = leaf
        nodes.append(leaf)
        return tile

    def root(self) -> bytes:
        """Return the root of everything appended."""
        if not self.nodes:
            return EMPTY_ROOT
        root = self.nodes[-1]
        for node in reversed(self.nodes[:-1]):
            root = node_hash(node, root)
        return root

    def copy(self) -> "Range":
        """Return an independent copy, to come back to."""
        return Range(self.nodes, self.size)


def range_of(tiles: Iterable[bytes], leaves: Iterable[bytes]) -> Range:
    """Return the range of a log from its tile roots and the leaves after the last tile."""
    whole, rest = Range(), Range()
    for tile in tiles:
        whole.add(tile)
    for leaf in leaves:
        rest.add(leaf)
    assert rest.size < TILE, "leaves after the last tile fill no tile"
    return Range(whole.nodes + rest.nodes, whole.size * TILE + rest.size)


def _split(count: int) -> int:
    """Return the largest power of two below `count` (at least 2)."""
    return 1 << (count - 1).bit_length() - 1


class Tree:
    """Roots and proofs of a stored log, from its tile roots and a way to read leaves.

    `leaves(low, high)` returns the leaf hashes of the half-open index range; it is asked for one
    tile at a time. Levels above the tiles are kept in memory: 64 bytes per 256 entries.
    """

    def __init__(self, leaves: Callable[[int, int], Sequence[bytes]]) -> None:
        self._leaves = leaves
        self._levels: list[list[bytes]] = [[]]

    @property
    def tile_count(self) -> int:
        return len(self._levels[0])

    def add_tile(self, root: bytes) -> None:
        """Append the next tile root and the inner nodes that it completes."""
        level = 0
        self._levels[0].append(root)
        while len(self._levels[level]) % 2 == 0:
            if level + 1 == len(self._levels):
                self._levels.append([])
            self._levels[level + 1].append(node_hash(*self._levels[level][-2:]))
            level += 1

    def subtree(self, low: int, high: int) -> bytes:
        """Return the root of the leaves `low` to `high`, half-open, as RFC 9162 splits them."""
        count = high - low
        if count > TILE or (count == TILE and low % TILE == 0):
            level = count.bit_length() - 1 - TILE_LEVEL
            if count & (count - 1) == 0 and level < len(self._levels):
                index = low // count
                if index < len(self._levels[level]):
                    return self._levels[level][index]
            if count > TILE:
                middle = low + _split(count)
                return node_hash(self.subtree(low, middle), self.subtree(middle, high))
        found = Range()
        for leaf in self._leaves(low, high):
            found.add(leaf)
        if found.size != count:
            raise LookupError(f"leaves {low} to {high}: {found.size} of {count} are stored")
        return found.root()

    def root(self, size: int) -> bytes:
        """Return the root that the log had at `size`."""
        return self.subtree(0, size) if size else EMPTY_ROOT

    def inclusion_proof(self, index: int, size: int) -> list[bytes]:
        """Return the path that proves leaf `index` in the tree of `size`, the lowest node first.

        Raises:
            ValueError: `index` is not below `size`.
        """
        if not 0 <= index < size:
            raise ValueError(f"leaf {index} is not in a tree of {size}")
        low, high, path = 0, size, []
        while high - low > 1:
            middle = low + _split(high - low)
            if index < middle:
                path.append(self.subtree(middle, high))
                high = middle
            else:
                path.append(self.subtree(low, middle))
                low = middle
        return path[::-1]

    def consistency_proof(self, old: int, new: int) -> list[bytes]:
        """Return the nodes that prove the tree of `old` to be a prefix of the tree of `new`.

        Empty for equal sizes and for an empty old tree.

        Raises:
            ValueError: `old` is larger than `new`, or negative.
        """
        if not 0 <= old <= new:
            raise ValueError(f"a tree of {old} is no prefix of a tree of {new}")
        if old in (0, new):
            return []
        low, high, path, is_whole = 0, new, [], True
        while old != high:
            middle = low + _split(high - low)
            if old <= middle:
                path.append(self.subtree(middle, high))
                high = middle
            else:
                path.append(self.subtree(low, middle))
                low, is_whole = middle, False
        if not is_whole:
            path.append(self.subtree(low, high))
        return path[::-1]


def verify_inclusion(leaf: bytes, *, index: int, size: int, proof: Sequence[bytes]) -> bytes:
    """Return the root that a leaf and its proof lead to; the caller compares it.

    Raises:
        ValueError: the index is outside the tree, or the proof is too short or too long.

    Source:
        RFC 9162 section 2.1.3.2.
    """
    if not 0 <= index < size:
        raise ValueError(f"leaf {index} is not in a tree of {size}")
    here, last, root = index, size - 1, leaf
    for node in proof:
        if last == 0:
            raise ValueError("the proof is too long")
        if here & 1 or here == last:
            root = node_hash(node, root)
            while not here & 1 and here:
                here, last = here >> 1, last >> 1
        else:
            root = node_hash(root, node)
        here, last = here >> 1, last >> 1
    if last:
        raise ValueError("the proof is too short")
    return root


def verify_consistency(
    old_root: bytes, new_root: bytes, *, old: int, new: int, proof: Sequence[bytes]
) -> None:
    """Refuse two roots of which the first is no prefix of the second.

    Raises:
        ValueError: the sizes, the proof's length or a root do not fit.

    Source:
        RFC 9162 section 2.1.4.2.
    """
    if not 0 <= old <= new:
        raise ValueError(f"a tree of {old} is no prefix of a tree of {new}")
    if old in (0, new):
        if proof:
            raise ValueError("the proof is too long")
        if (old == new and old_root != new_root) or (old == 0 and old_root != EMPTY_ROOT):
            raise ValueError("the roots differ")
        return
    path = list(proof) if old & (old - 1) else [old_root, *proof]
    if not path:
        raise ValueError("the proof is too short")
    here, last = old - 1, new - 1
    while here & 1:
        here, last = here >> 1, last >> 1
    first = second = path[0]
    for node in path[1:]:
        if last == 0:
            raise ValueError("the proof is too long")
        if here & 1 or here == last:
            first, second = node_hash(node, first), node_hash(node, second)
            while not here & 1 and here:
                here, last = here >> 1, last >> 1
        else:
            second = node_hash(second, node)
        here, last = here >> 1, last >> 1
    if last:
        raise ValueError("the proof is too short")
    if first != old_root:
        raise ValueError("the proof does not lead to the old root")
    if second != new_root:
        raise ValueError("the proof does not lead to the new root")
