"""Personal data in texts: e-mail addresses, telephone and card numbers. Found by their form; names of people are not."""

import re
from collections.abc import Iterable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from studio.data.rows import count, finding, plain_mask, text_columns, where
from studio.data.table import Finding

EMAIL = r"[\pL\pN._%+-]+@[\pL\pN-]+(\.[\pL\pN-]+)*\.\pL{2,}"
_PHONE_NUMBER = (
    r"(?:\+\d{1,3}[ .-]?(?:\(0?\d{1,4}\)[ .-]?)?\d{1,4}(?:[ .-]?\d{2,4}){2,4}"  # +44 20 7946 0018
    r"|\(\d{3}\) ?\d{3}[ .-]\d{4}|\d{3}[.-]\d{3}[.-]\d{4}"  # (613) 555-0187
    r"|0[1-9]\d{1,3}[ /-]\d{3,4}[ -]?\d{3,4}|0[1-9]\d{8,9})"  # 030 1234567, 08000930705
)
PHONE = rf"(^|[^\w.+/-]){_PHONE_NUMBER}($|[^\w-])"
"""With what stands around it as groups."""
CARD = r"\b[3-6]\d(?:[ -]?\d){11,17}\b"
SIGNS = {"email": "[e-mail]", "phone": "[phone]", "card": "[card]"}
"""What is put in place of personal data."""
KINDS = {"email": "an e-mail address", "phone": "a telephone number", "card": "a card number"}


def personal_data(data: pa.Table) -> dict[str, np.ndarray]:
    """Kind (of KINDS) -> mask of the rows that have it in any text."""
    found = {kind: np.zeros(len(data), dtype=bool) for kind in KINDS}
    for name in text_columns(data):
        texts = data[name]
        found["email"] |= plain_mask(pc.match_substring_regex(texts, EMAIL))
        found["phone"] |= plain_mask(pc.match_substring_regex(texts, PHONE))
        for row in np.flatnonzero(plain_mask(pc.match_substring_regex(texts, CARD))):
            found["card"][row] |= has_card(texts[int(row)].as_py())
    return found


def mask_personal_data(texts: pa.ChunkedArray) -> pa.ChunkedArray:
    """The texts with a sign in place of each address and number."""
    texts = pc.replace_substring_regex(texts, EMAIL, SIGNS["email"])
    cards = plain_mask(pc.match_substring_regex(texts, CARD))
    if cards.any():
        masked = [re.sub(CARD, _card_sign, text) for text in texts.filter(pa.array(cards)).to_pylist()]
        texts = pc.replace_with_mask(texts, pa.array(cards), pa.array(masked, pa.string()))
    for _ in range(2):  # of two numbers in a row one blank ends the first and begins the second
        texts = pc.replace_substring_regex(texts, PHONE, rf"\1{SIGNS['phone']}\2")
    return texts


def _card_sign(found: re.Match) -> str:
    return SIGNS["card"] if passes_luhn(re.sub(r"\D", "", found[0])) else found[0]


def has_card(text: str) -> bool:
    """Whether a run of 13 to 19 digits passes the check sum of card numbers."""
    return any(passes_luhn(re.sub(r"\D", "", run)) for run in re.findall(CARD, text))


def passes_luhn(digits: str) -> bool:
    """Source: ISO/IEC 7812-1. Runs of one digit only are nobody's card."""
    doubled = [int(d) for d in digits[-2::-2]]
    total = sum(map(int, digits[-1::-2])) + sum(d * 2 - 9 * (d > 4) for d in doubled)
    return total % 10 == 0 and len(set(digits)) > 1


def find(data: pa.Table) -> Iterable[Finding]:
    """At most one finding."""
    found = personal_data(data)
    rows = where(data, np.logical_or.reduce(list(found.values())))
    if len(rows):
        kinds = ", ".join(f"{KINDS[kind]} in {mask.sum():,}" for kind, mask in found.items() if mask.any())
        yield finding(
            "personal_data",
            "warning",
            f"{count(len(rows), 'row seems', 'rows seem')} to hold personal data ({kinds}).",
            rows,
        )
