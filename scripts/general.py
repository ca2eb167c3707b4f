"""Makes assets/general/items.csv, what the check of general ability asks: python scripts/general.py WORDNET TATOEBA

WORDNET: the folder ``usr/share/wordnet`` of Debian's package wordnet-base (``apt-get download wordnet-base`` and
``dpkg -x``). TATOEBA: a folder with ``deu_eng.csv``, ``fra_eng.csv`` and ``jpn_eng.csv``, columns ``text`` and
``english``: the Tatoeba test sets of LASER (github.com/facebookresearch/LASER, ``data/tatoeba/v1``). The same files make
the same table.
"""

import argparse
import csv
import random
import re
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

OUT = Path(__file__).resolve().parent.parent / "assets" / "general" / "items.csv"
SEED = 20261124
QUESTIONS, OTHER_WORDS, USES, TRANSLATIONS = 200, 300, 150, 60
KINDS = {"n": "noun", "v": "verb", "a": "adj", "r": "adv"}
LANGUAGES = {"deu": "german", "fra": "french", "jpn": "japanese"}
COMMON = 3
"""How often a sense was met, at least, in the texts that WordNet's makers have tagged: rare words say little."""


@dataclass(frozen=True)
class Sense:
    field: str
    """Number of WordNet's file of this subject, such as 05 for animals."""
    words: tuple[str, ...]
    definition: str
    examples: tuple[str, ...]
    met: int


def senses(folder: Path) -> list[Sense]:
    """Every sense of WordNet, in its order."""
    met: dict[tuple[str, str], int] = defaultdict(int)
    for line in (folder / "cntlist.rev").read_text(encoding="utf-8").splitlines():
        key, _, count = line.split()
        word, rest = key.split("%")
        kind, field = rest.split(":")[:2]
        met[word, f"{kind.replace('5', '3')}:{field}"] += int(count)
    found = []
    for kind in KINDS.values():
        number = {"noun": "1", "verb": "2", "adj": "3", "adv": "4"}[kind]
        for line in (folder / f"data.{kind}").read_text(encoding="utf-8").splitlines():
            if line.startswith(" "):
                continue
            facts, _, gloss = line.partition(" | ")
            cells = facts.split()
            count = int(cells[3], 16)
            names = [re.sub(r"\(\w+\)$", "", cells[4 + 2 * i]) for i in range(count)]
            definition = re.split(r'; ?"', gloss)[0].strip().rstrip(";")
            examples = tuple(text.strip() for text in re.findall(r'"([^"]+)"', gloss))
            often = max(met[name.lower(), f"{number}:{cells[1]}"] for name in names)
            words = tuple(name.replace("_", " ") for name in names)
            found.append(Sense(cells[1], words, definition, examples, often))
    return found


def by_field(found: list[Sense], many: int, chance: random.Random) -> list[Sense]:
    """``many`` of them, in turn from every field that has some left."""
    fields: dict[str, list[Sense]] = defaultdict(list)
    for sense in found:
        fields[sense.field].append(sense)
    for group in fields.values():
        chance.shuffle(group)
    chosen: list[Sense] = []
    while len(chosen) < many and any(fields.values()):
        chosen += [group.pop() for _, group in sorted(fields.items()) if group]
    return chosen[:many]


def gives_away(sense: Sense) -> bool:
    """Whether the definition holds one of its words."""
    return any(re.search(rf"\b{re.escape(word.lower()[:5])}", sense.definition.lower()) for word in sense.words)


def unique(found: list[Sense]) -> list[Sense]:
    """Those none of whose words and whose definition stand in an earlier one."""
    seen: set[str] = set()
    kept = []
    for sense in found:
        names = {word.lower() for word in sense.words} | {sense.definition}
        if not names & seen:
            kept.append(sense)
            seen |= names
    return kept


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("wordnet", type=Path)
    parser.add_argument("tatoeba", type=Path)
    places = parser.parse_args()
    chance = random.Random(SEED)
    known = [s for s in senses(places.wordnet) if s.met >= COMMON and not any(w[:1].isupper() for w in s.words)]
    clear = [s for s in known if 5 <= len(s.definition.split()) <= 25 and not gives_away(s)]
    clear = unique(by_field(clear, 4 * (QUESTIONS + OTHER_WORDS), chance))[: QUESTIONS + OTHER_WORDS]
    rows = [("words", s.definition, ", ".join(s.words[:3])) for s in clear[:QUESTIONS]]
    rows += [("words", "", ", ".join(s.words[:3])) for s in clear[QUESTIONS:]]
    taken = {word for s in clear for word in s.words}
    shown = [
        s for s in known
        if any(6 <= len(e.split()) <= 20 for e in s.examples) and len(s.definition.split()) >= 4 and not taken & {*s.words}
    ]  # fmt: skip
    for sense in unique(by_field(shown, 2 * USES, chance))[:USES]:
        example = next(e for e in sense.examples if 6 <= len(e.split()) <= 20)
        rows.append(("uses", example, sense.definition))
    for code, language in LANGUAGES.items():
        with (places.tatoeba / f"{code}_eng.csv").open(encoding="utf-8", newline="") as file:
            pairs = [(row["text"], row["english"]) for row in csv.DictReader(file)]
        long = [(one, other) for one, other in pairs if 6 <= len(other.split()) <= 20]
        rows += [(language, *pair) for pair in chance.sample(sorted(set(long)), TRANSLATIONS)]
    OUT.parent.mkdir(exist_ok=True)
    with OUT.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["part", "question", "answer"])
        table.writerows(rows)
    print(f"{len(rows):,} rows: {OUT}")


if __name__ == "__main__":
    main()
