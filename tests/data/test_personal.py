"""Personal data: by their form, with few false alarms."""

import pytest

from studio.data.check import inspect_file
from studio.data.personal import has_card, passes_luhn, personal_data
from studio.data.prepare import prepare
from studio.data.table import Roles


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Write to ada.lovelace+news@example.co.uk today", "email"), ("mail: müller@münchen.example.", "email"),
        ("Call +44 20 7946 0018 now", "phone"), ("Ruf an: +49 (0)30 1234567.", "phone"), ("(613) 555-0187", "phone"),
        ("Tel. 613-555-0187", "phone"), ("Telefon 030 1234567", "phone"), ("call 08000930705 free", "phone"),
        ("My card is 4111 1111 1111 1111", "card"), ("5500-0000-0000-0004 expired", "card"), ("378282246310005", "card"),
    ],
)  # fmt: skip
def test_what_has_the_form_of_personal_data_is_found(table, text, kind):
    data = prepare(table({"q": ["a question", "another"], "a": ["an answer", text]}), Roles("q", "a")).data
    assert {k: mask.tolist() for k, mask in personal_data(data).items() if mask.any()} == {kind: [False, True]}


@pytest.mark.parametrize(
    "text",
    [
        "user@host", "5 @ 3.50", "@ada wrote", "2024-05-17 10:30:00", "version 10.2.3.4", "ISBN 978-3-16-148410-0",
        "4111 1111 1111 1112", "0000 0000 0000 0000", "pi is 3.14159265358979", "1,234,567.89", "from 1990 to 2005", "+5 degrees",
        "order 20240517000123", "192.168.100.200", "RFC-822-555", "0,25", "007",
    ],
)  # fmt: skip
def test_what_only_looks_a_little_like_it_is_not(table, text):
    data = prepare(table({"q": ["a"], "a": [text]}), Roles("q", "a")).data
    assert not any(mask.any() for mask in personal_data(data).values())


def test_card_numbers_are_told_by_their_check_sum():
    assert [passes_luhn(digits) for digits in ("79927398713", "79927398710", "4111111111111111")] == [True, False, True]
    assert has_card("paid with 4111111111111111.")
    assert not has_card("paid with 41111111111111111111111")


def test_real_messages_with_numbers_are_warned_of_and_questions_without_are_not(shared_data, samples):
    report = inspect_file(shared_data / "nasty" / "03_sms_spam_empty_columns.csv")
    (finding,) = [f for f in report.findings if f.code == "personal_data"]
    assert finding.severity == "warning"
    assert finding.count > 100
    assert "an e-mail address in" in finding.message
    for sample in ("banking77.csv", "programs_triplets.csv"):
        assert "personal_data" not in {f.code for f in inspect_file(samples / sample).findings}
