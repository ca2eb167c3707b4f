"""Texts as token numbers, cut once and kept in a memory-mapped file: every epoch would cut them again.

For a static model that is half of a step; a transformer computes so much longer that it gains nothing. Memory does not
grow with the texts: a key and a place for each, 20 bytes, and the numbers lie on the disk.

    ids.bin      the numbers of all texts, one after the other, int32
    index.npz    keys (n,) uint64 ascending: hashes of the texts; starts (n,) int64, lengths (n,) int32
    used.npy     (vocabulary,) bool: the tokens that stand in them
    done.json    written last: what they were cut with
"""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from studio.files import read_json, write_json

Cut = Callable[[Sequence[str]], tuple[np.ndarray, np.ndarray]]
"""texts -> (ids, lengths): token numbers of all of them, and how many each has."""


class Tokens:
    """The tokens of texts that are known."""

    def __init__(self, folder: Path):
        self._ids = (
            np.memmap(folder / "ids.bin", dtype=np.int32, mode="r") if (folder / "ids.bin").stat().st_size else []
        )
        with np.load(folder / "index.npz") as index:
            self._keys, self._starts, self._lengths = (index[name] for name in ("keys", "starts", "lengths"))
        self.used = np.load(folder / "used.npy")

    def of(self, texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray] | None:
        """(ids, lengths) as a Cut gives them; None when one of the texts is not known."""
        wanted = keys_of(texts)
        at = np.searchsorted(self._keys, wanted)
        if (at == len(self._keys)).any() or (self._keys[at] != wanted).any():
            return None
        starts, lengths = self._starts[at], self._lengths[at]
        parts = [self._ids[start : start + length] for start, length in zip(starts, lengths, strict=True)]
        return np.concatenate(parts).astype(np.int64), lengths.astype(np.int64)


def keep(folder: Path, texts: Iterable[Sequence[str]], cut: Cut, vocabulary: int, name: str) -> Tokens:
    """Cut ``texts`` (portions of them) into ``folder``; what is there already is used again.

    ``name``: of the tokenizer and the texts; what was cut under another one is cut anew.
    """
    done = folder / "done.json"
    if (read_json(done) or {}).get("name") == name:
        return Tokens(folder)
    done.unlink(missing_ok=True)
    folder.mkdir(parents=True, exist_ok=True)
    used = np.zeros(vocabulary, dtype=bool)
    keys, lengths = [np.zeros(0, np.uint64)], [np.zeros(0, np.int32)]
    with (folder / "ids.bin").open("wb") as file:
        for portion in texts:
            portion = list(dict.fromkeys(portion))
            ids, sizes = cut(portion)
            used[ids] = True
            file.write(ids.astype(np.int32).tobytes())
            keys.append(keys_of(portion))
            lengths.append(sizes.astype(np.int32))
    all_keys, all_lengths = np.concatenate(keys), np.concatenate(lengths)
    starts = np.cumsum(all_lengths, dtype=np.int64) - all_lengths
    ordered, first = np.unique(all_keys, return_index=True)
    np.savez(folder / "index.npz", keys=ordered, starts=starts[first], lengths=all_lengths[first])
    np.save(folder / "used.npy", used)
    write_json(done, {"name": name})
    return Tokens(folder)


def keys_of(texts: Sequence[str]) -> np.ndarray:
    """(n,) uint64: the same in every process."""
    return pd.util.hash_array(np.array(texts, dtype=object), categorize=False)
