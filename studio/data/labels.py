"""Labels in any spelling: which say that two texts belong together (1), which that they do not (0), which neither."""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from studio.errors import DataError

NUMBER = r"^[+-]?(\d+[.,]?\d*|[.,]\d+)([eE][+-]?\d+)?$"

_TRUE = """
    true yes y t duplicate dup match matching matched similar same equal identical equivalent paraphrase related relevant positive pos
    entailment entails entailed correct linked
    ja wahr richtig gleich duplikat doppelt aehnlich passend relevant
    oui vrai doublon identique semblable similaire pareil pertinent
    si sim verdadero verdadeiro vero duplicado duplicato doppione igual iguale uguale similar parecido semelhante simile relevante rilevante
    waar gelijk zelfde dubbel tak prawda igen igaz ano pravda evet dogru kylla sant
    да истина дубликат похожи похожие 是 真 相同 重复 相似 相关 はい 同じ 類似 重複 예 같음 유사
"""
_FALSE = """
    false no n f different distinct distinctive mismatch dissimilar unequal unrelated irrelevant negative neg contradiction contradicts
    contradictory incorrect wrong nonduplicate nonmatch unmatched
    nein falsch verschieden unterschiedlich ungleich anders unpassend irrelevant unaehnlich
    non faux different differente dissemblable
    nao falso diferente distinto distinta diverso diversa differente irrelevante
    nee onwaar verschillend anders nie falsz nem hamis ne nepravda hayir yanlis ei falskt nej
    нет ложь разные 否 假 不同 不重复 不相似 不相关 いいえ 違う 異なる 아니요 다름
"""
_NEUTRAL = "neutral unknown undecided unsure unclear neutre neutro neutraal"
_NOT = ("not", "non", "no", "nicht", "kein", "keine", "keinem", "pas", "pas un", "pas de", "niet", "geen", "nao", "не")

TRUE, FALSE, NEUTRAL = (frozenset(words.split()) for words in (_TRUE, _FALSE, _NEUTRAL))


@dataclass(frozen=True)
class Labels:
    values: pa.Array
    """int64: 1, 0 or null, one a row."""
    neutral: pa.Array
    """Mask of the rows whose label says neither."""
    mapping: dict[str, int | None]
    """Spelling -> 1, 0 or None (neither), of spellings that are not simply 0 and 1."""


def meaning(spelling: str) -> int | str | None:
    """1, 0, None (neither of them) or ``"unknown"``, for one spelling that is not a number."""
    plain = _plain(spelling)
    for negation in _NOT:
        if plain.startswith(negation + " "):
            # "not a duplicate"; "not different" is nothing that people write, so it stays unknown.
            rest = re.sub(r"^(an? |the |ein |eine |un |une |uma? )", "", plain.removeprefix(negation + " "))
            return 0 if rest in TRUE else "unknown"
    if plain in TRUE:
        return 1
    if plain in FALSE:
        return 0
    return None if plain in NEUTRAL else "unknown"


def says_a_label(values: frozenset[str]) -> bool:
    """Whether all values are spellings of labels, and more than one thing is said."""
    meanings = {meaning(value) for value in values}
    return "unknown" not in meanings and len(meanings) > 1


def read_labels(texts: pa.Array, name: str, rows: pa.Array) -> Labels:
    """``texts``: stripped, null where there is none; ``name``: the column; ``rows``: row numbers of the file.

    Raises:
        DataError: a value that is no known spelling; names row, column and value.
    """
    distinct = [value for value in pc.unique(texts).to_pylist() if value is not None]
    known = _meanings(distinct)
    unknown = [value for value in distinct if value not in known]
    if unknown:
        wrong = pc.is_in(texts, value_set=pa.array(unknown))
        refuse(texts, pc.invert(wrong), rows, "neither 0 nor 1", name, _hint(distinct))
    coded = texts.dictionary_encode()
    spelt = coded.dictionary.to_pylist()
    values = pa.array([known[value] for value in spelt], pa.int64()).take(coded.indices)
    silent = pa.array([known[value] is None for value in spelt], pa.bool_()).take(coded.indices)
    mapping = {value: known[value] for value in distinct if not _is_plain_number(value, known[value])}
    return Labels(values, pc.fill_null(silent, False), mapping)


def describe_mapping(mapping: Mapping[str, int | None]) -> str:
    """``'entailment' as 1, 'contradiction' as 0``; ``""`` where nothing needs to be told."""
    told = [f"'{value[:40]}' as {code}" for value, code in sorted(mapping.items(), key=_order) if code is not None]
    more = f" and {len(told) - 12} other spellings" if len(told) > 12 else ""
    return ", ".join(told[:12]) + more


def refuse(texts: pa.Array, right: pa.Array, rows: pa.Array, what: str, name: str, hint: str) -> None:
    """Raises DataError when a value that is present is not right; names the first and counts them."""
    wrong = pc.and_(pc.is_valid(texts), pc.invert(pc.fill_null(right, False)))
    count = pc.sum(wrong).as_py() or 0
    if count:
        at = pc.index(wrong, True).as_py()
        value = texts[at].as_py()
        shown = value if len(value) <= 60 else value[:57] + "..."
        others = f" So are {count - 1:,} other rows." if count > 2 else " So is 1 other row." if count == 2 else ""
        raise DataError(f"Row {rows[at].as_py()}: '{name}' is '{shown}', which is {what}.{others}", hint=hint)


def _meanings(distinct: list[str]) -> dict[str, int | None]:
    """Meaning of every value that is known. -1 means 0 where 1 is the only other number."""
    numbers = {value: float(value.replace(",", ".")) for value in distinct if re.match(NUMBER, value)}
    signed = set(numbers.values()) == {-1.0, 1.0}
    known: dict[str, int | None] = {}
    for value in distinct:
        if value in numbers:
            if numbers[value] in (0.0, 1.0):
                known[value] = int(numbers[value])
            elif signed:
                known[value] = 0
        elif (said := meaning(value)) != "unknown":
            known[value] = said
    return known


def _hint(distinct: list[str]) -> str:
    seen = f"The column has {', '.join(sorted(distinct)[:6])}. " if len(distinct) <= 6 else ""
    numbers = [value for value in distinct if re.match(NUMBER, value)]
    score = ", choose the column as score" if numbers else ""
    which = (
        "Tables of entailment number their labels in different orders: write entailment, neutral and contradiction. "
        if {float(value.replace(",", ".")) for value in numbers} == {0.0, 1.0, 2.0}
        else ""
    )
    return (
        f"{seen}{which}A label is 1 (or true, yes, duplicate, similar, entailment) when the texts belong together and 0 (false, no, "
        f"different, contradiction) when not. Correct the values{score}, or choose another column."
    )


def _plain(spelling: str) -> str:
    """Lower case, no accents, words apart by one blank."""
    text = re.sub(r"[\W_]+", " ", spelling.casefold()).strip()
    text = text.replace("ä", "ae").replace("ö", "oe").replace("ü", "ue").replace("ß", "ss").replace("ı", "i")
    if re.search(r"[\u0400-\uffff]", text):
        return text
    return "".join(c for c in unicodedata.normalize("NFD", text) if not unicodedata.combining(c))


def _is_plain_number(value: str, code: int | None) -> bool:
    return re.match(NUMBER, value) is not None and float(value.replace(",", ".")) == code


def _order(item: tuple[str, int | None]) -> tuple[int, str]:
    return -(item[1] or 0), item[0]
