"""Puts the recipe's faults into a block's examinations and labels every file they touch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import partial

from pydicom.datadict import dictionary_VR
from pydicom.dataset import Dataset
from pydicom.valuerep import PersonName

from fonds.samples.objects import Exam, Extra, Planned, element
from fonds.samples.people import seeded, strip_marks
from fonds.samples.recipe import Fault, Recipe, Where
from fonds.samples.seen import raw_text

UNTOUCHED_CASES = ("overlay", "ideographic name")
"""Persons whose files stay as their case makes them: a fault on top would hide what they are there to show."""


@dataclass(slots=True)
class Block:
    """A block in the making: its examinations, other files, and which fault touched which file.

    `further` are examinations that were really made, whose files lie among those of the one they look like.
    """

    seed: int
    number: int
    exams: list[Exam]
    extras: list[Extra] = field(default_factory=list)
    further: list[Exam] = field(default_factory=list)
    labels: list[tuple[str, str, Planned | Extra]] = field(default_factory=list)
    chosen: dict[str, list[Exam]] = field(default_factory=dict)

    def pick(self, where: Where, purpose: str, avoid: Exam | None = None) -> Exam | None:
        """An untouched examination that fits, the same one for the same seed; None when there is none left."""
        fitting = [exam for exam in self.exams if not exam.touched and fits(exam, where)]
        if avoid is not None:
            fitting = [exam for exam in fitting if exam.person.index != avoid.person.index]
        if where.sibling:
            fitting = [exam for exam in fitting if self.sibling(exam) is not None]
        if not fitting:
            return None
        found = seeded(self.seed, "fault", self.number, purpose).choice(fitting)
        found.touched = True
        return found

    def sibling(self, exam: Exam) -> Exam | None:
        """Another untouched examination of the same person in the same department."""
        others = (other for other in self.exams if other.person is exam.person and other.source == exam.source)
        return next((other for other in others if other is not exam and not other.touched), None)


Maker = Callable[[Block, Exam, Fault], list[Planned | Extra]]


def inject(block: Block, recipe: Recipe, makers: dict[str, Maker]) -> None:
    """Put every fault of the recipe into the block, in the recipe's order."""
    for fault in recipe.faults:
        if fault.case is not None:
            _label_case(block, fault)
            continue
        # a fault that writes a modality wants one examination for each of its spellings
        wanted = [fault.where.model_copy(update={"kinds": spelling.kinds}) for spelling in fault.modality]
        wanted = wanted or [fault.where] * fault.per_block
        for number, where in enumerate(wanted):
            exam = _place(block, fault, where, number)
            if exam is None:
                continue
            block.chosen.setdefault(fault.id, []).append(exam)
            for touched in _apply(block, exam, fault, number, makers):
                block.labels.append((fault.id, fault.title, touched))


def fits(exam: Exam, where: Where) -> bool:
    """Whether a fault may be put here."""
    family, _, given = exam.record.name.partition("^")
    return (
        exam.source in where.archives
        and (not where.kinds or exam.kind in where.kinds)
        and exam.person.case not in UNTOUCHED_CASES
        and not (where.ordinary and exam.person.case)
        and len(exam.targets) >= where.least
        and (where.also is None or where.also in exam.person.departments)
        and (not where.ascii_name or exam.record.name.isascii())
        and (not where.plain_name or (_plain(family) and _plain(given.partition("^")[0])))
    )


def _plain(word: str) -> bool:
    return word.isascii() and word.isalpha()


def _place(block: Block, fault: Fault, where: Where, number: int) -> Exam | None:
    if fault.beside is None:
        return block.pick(where, f"{fault.id}-{number}")
    beside = block.chosen.get(fault.beside, [])
    return beside[number] if number < len(beside) else None


def _label_case(block: Block, fault: Fault) -> None:
    for exam in block.exams:
        if exam.person.case == fault.case and exam.source in fault.where.archives:
            block.labels += [(fault.id, fault.title, planned) for planned in exam.objects]


def _apply(block: Block, exam: Exam, fault: Fault, number: int, makers: dict[str, Maker]) -> list[Planned | Extra]:
    touched: list[Planned | Extra] = []
    if fault.make is not None:
        touched += makers[fault.make](block, exam, fault)
    texts = dict(fault.set)
    series = 1
    if fault.modality:
        texts["Modality"], series = fault.modality[number].to, fault.modality[number].series
    if texts or fault.remove:
        within = in_scope(exam, fault, series)
        edit = partial(set_texts, texts=texts, remove=fault.remove, facts=_facts(block, exam))
        for planned in within:
            planned.edits.append(edit)
        touched += within
    return touched


def in_scope(exam: Exam, fault: Fault, series: int = 1) -> list[Planned]:
    """The objects a fault means: the last image, the n-th series, or all of the study."""
    if fault.scope == "study":
        return list(exam.objects)
    if fault.scope == "object":
        return [last_image(exam)]
    order = list(dict.fromkeys(planned.series for planned in exam.objects))
    return [planned for planned in exam.objects if planned.series == order[series - 1]]


def last_image(exam: Exam) -> Planned:
    """The last of the exam's images."""
    first = exam.objects[0].series
    return [planned for planned in exam.objects if planned.series == first][-1]


def _facts(block: Block, exam: Exam) -> dict[str, object]:
    family, _, rest = exam.record.name.partition("^")
    given = rest.partition("^")[0]
    born = exam.record.birth
    return {
        "day": exam.day,
        "before": exam.day - timedelta(days=30),
        "birth": date(int(born[:4]), int(born[4:6]), int(born[6:])),
        "family": family,
        "given": given,
        "family_ascii": strip_marks(family),
        "given_ascii": strip_marks(given),
        "n": exam.person.index,
        "placeholder": _placeholder(block.number),
    }


def _placeholder(block: int) -> str:
    # one a block, since two blocks know nothing of each other: UNKNOWN, then one character three to 62 times
    if block == 0:
        return "UNKNOWN"
    letters = "123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    return letters[block % len(letters)] * (3 + block // len(letters) % 60)


def set_texts(ds: Dataset, *, texts: dict[str, str], remove: tuple[str, ...], facts: dict[str, object]) -> None:
    """Write a fault's texts, with what the examination tells filled in, and take attributes out."""
    for keyword, template in texts.items():
        before = raw_text(ds[keyword]) if keyword in ds else ""
        put(ds, keyword, template.format_map({**facts, "v": before}))
    for keyword in remove:
        if keyword in ds:
            del ds[keyword]


def put(ds: Dataset, keyword: str, text: str) -> None:
    """Write a text into an attribute as it stands, whatever the value representation thinks of it."""
    vr = dictionary_VR(keyword)
    element(ds, keyword, vr, PersonName(text) if vr == "PN" else text)
