"""How fast descriptions are looked up: 20,000 distinct texts in a dictionary of 1,000 procedures.

    .venv/bin/python benchmarks/procedures.py

Prints one JSON line: seconds, texts a second, and how many texts were found, asked about and left.
"""

from __future__ import annotations

import itertools
import json
import random
import time
from pathlib import Path

from fonds.normalize.lookup import Dictionary, Matcher
from fonds.normalize.lookup_model import DictionaryFile, Lookup

ENTRIES, TEXTS, VECTOR = 1_000, 20_000, 2_048
PARTS = ["ober", "unter", "vorder", "mittel", "hinter", "seiten", "innen", "aussen", "quer", "laengs"]
REGIONS = ["kopf", "hals", "thorax", "abdomen", "becken", "knie", "hand", "fuss", "schulter", "huefte"]
KINDS = {"ct": "CT", "mr": "MR", "roentgen": "CR", "sono": "US", "pet": "PT"}
SIDES = {"": "", "links": "L", "rechts": "R"}
ADDED = ["spaet", "verlauf", "notfall", "ambulant", "intensiv", "kontrolle", "liegend", "stehend"]


def dictionary() -> tuple[Dictionary, list[tuple[str, str]]]:
    """A thousand procedures with two spellings each, and each one's name with its modality."""
    made = itertools.islice(itertools.product(KINDS, PARTS, REGIONS, SIDES), ENTRIES)
    procedures = [
        {
            "code": f"P{number}",
            "meaning": f"{kind} {part}{region} {side}".strip(),
            "spellings": [f"{part} {region} {side} {kind}".replace("  ", " ")],
            "modality": [KINDS[kind]],
            "laterality": SIDES[side],
        }
        for number, (kind, part, region, side) in enumerate(made)
    ]
    modalities = {kind: [modality] for kind, modality in KINDS.items()}
    file = DictionaryFile.model_validate({"modalities": modalities, "procedures": procedures})
    return Dictionary(file, Path("made.yaml")), [(one.meaning, one.modality[0]) for one in file.procedures]


def texts(named: list[tuple[str, str]]) -> list[tuple[tuple[str, ...], str]]:
    """Distinct descriptions: names with a letter changed, a word added, or both."""
    chance = random.Random(4)
    made: dict[str, str] = {}
    while len(made) < TEXTS:
        name, modality = chance.choice(named)
        at = chance.randrange(len(name))
        name = name[:at] + chance.choice("aeiounrst") + name[at + 1 :] if chance.random() < 0.7 else name
        name += f" {chance.choice(ADDED)} {chance.randrange(40)}" if chance.random() < 0.7 else ""
        made.setdefault(name, modality)
    return [((text,), modality) for text, modality in made.items()]


def main() -> None:
    of, named = dictionary()
    rule = Lookup.model_validate(
        {"id": "made.lookup", "title": "made", "attributes": ["StudyDescription"], "action": "lookup"}
        | {"dictionary": "made.yaml", "examples": [{"name": "none", "before": "zzz", "after": "zzz"}]}
    )
    asked = texts(named)
    matcher = Matcher(rule, of, {})
    begun = time.perf_counter()
    found = [one for at in range(0, len(asked), VECTOR) for one in matcher.find(asked[at : at + VECTOR])]
    seconds = time.perf_counter() - begun
    waits = sum(one is not None and one.waits for one in found)
    left = sum(one is None for one in found)
    print(
        json.dumps(
            {"texts": len(asked), "entries": len(named), "seconds": round(seconds, 2)}
            | {"texts_per_second": round(len(asked) / seconds), "asked": waits, "left": left}
        )
    )


if __name__ == "__main__":
    main()
