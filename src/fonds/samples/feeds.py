"""The patient index of the sample hospitals: whom it knows, by which identifiers, and which of them it merged."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from random import Random

from fonds.samples.people import Person, record, seeded
from fonds.samples.sources import SOURCES

FEED, ISSUER = "mpi", "MPI-VERBUND"
FOLDER = "feeds"
COLUMNS = ("PID-3", "PID-5", "PID-7", "PID-8", "PID-11", "PID-13", "PID-24", "PID-33")
MERGES = ("EVN-1", "EVN-2", "MRG-1", "PID-3")
REGISTERED = ("feed", "issuer", "patient_id", "person")
"""Truth: whose each row of the index is."""
SETTINGS = {"format": "csv", "path": f"{FOLDER}/mpi.csv", "merges": f"{FOLDER}/merges.csv", "issuer": ISSUER}
# the surgery isn't connected, the pathology was late
_CONNECTED = {"radiology": 1.0, "cardiology": 0.9, "oncology": 0.9, "pathology": 0.5}
_STREETS = (
    "Ahornweg",
    "Bachstraße",
    "Am Alten Markt",
    "Kirchgasse",
    "Lindenallee",
    "Seestraße",
    "Mühlenweg",
    "Rosenweg",
)
_CITIES = (("24103", "Kiel"), ("20095", "Hamburg"), ("28195", "Bremen"), ("30159", "Hannover"), ("18055", "Rostock"))
_MINUTE = "%Y%m%d%H%M"
_START = datetime(2012, 1, 9, 8, 0)  # noqa: DTZ001 - a registration desk's clock tells no zone
Rows = list[tuple[str, ...]]


def index(seed: int, people: Sequence[Person]) -> tuple[Rows, Rows, Rows]:
    """Rows of the index (COLUMNS), of its merges (MERGES) and of the truth (REGISTERED) for a block's persons.

    One in five ordinary persons isn't registered, some have moved since, and some were registered twice: the second
    number, which alone has the identifier of one department, was merged into the first by an A40. Who was registered
    twice first in a block was so a third time: those merges are a chain.
    """
    rows: Rows = []
    merges: Rows = []
    truth: Rows = []
    chained = False
    for person in people:
        rng = seeded(seed, "index", person.index)
        known = _identifiers(seed, person, rng)
        if not known or (rng.random() < 0.2 and not person.case):
            continue
        address, phone = _home(seeded(seed, "household", _household(people, person)))
        if rng.random() < 0.15:
            address, _ = _home(rng)
        changed = _START + timedelta(minutes=rng.randrange(10 * 365 * 24 * 60))
        numbers, alone = [_number(person, 0)], []
        if len(known) > 1 and rng.random() < 0.3:
            alone = [known.pop()]
            numbers += [_number(person, 1)] if chained else [_number(person, 1), _number(person, 2)]
            chained = True
        rows.append(_row([(numbers[0], ISSUER), *known], person, address, phone, changed))
        for place, number in enumerate(numbers[1:], start=1):
            old, _ = _home(rng)
            before = changed - timedelta(days=400 * place)
            rows.append(_row([(number, ISSUER), *(alone if place == 1 else [])], person, old, phone, before))
            at = (changed + timedelta(days=30 - place)).strftime(_MINUTE)
            merges.append(("A40", at, f"{number}^^^{ISSUER}^PI", f"{numbers[place - 1]}^^^{ISSUER}^PI"))
        truth += [(FEED, ISSUER, number, person.key) for number in numbers]
    return sorted(rows), sorted(merges), sorted(truth)


def _number(person: Person, time: int) -> str:
    return f"E{(person.index * 7919 + 104_729 + time * 3_333_333) % 10_000_000:07d}"


def _identifiers(seed: int, person: Person, rng: Random) -> list[tuple[str, str]]:
    """What the connected departments call the person: (identifier, issuer)."""
    known = [source for source in person.departments if rng.random() < _CONNECTED.get(source, 0.0)]
    return [(record(seed, person, source).patient_id, str(SOURCES[source]["issuer"])) for source in known]


def _row(
    identifiers: list[tuple[str, str]], person: Person, address: str, phone: str, changed: datetime
) -> tuple[str, ...]:
    names = [f"{person.family}^{person.given}^{person.middle}^^^^L"]
    if person.maiden:
        names.append(f"{person.maiden}^{person.given}^^^^^M")
    if person.case == "ideographic name":
        names.append(f"{person.native}^^^^^L^I")
    listed = [f"{number}^^^{issuer}^{'PI' if issuer == ISSUER else 'MR'}" for number, issuer in identifiers]
    return (
        *("~".join(listed), "~".join(names), person.birth.strftime("%Y%m%d"), person.sex, address, phone),
        *("Y" if person.case == "twin" else "", changed.strftime(_MINUTE)),
    )


def _household(people: Sequence[Person], person: Person) -> int:
    """Who of one family stands first in the block; a grown son lives elsewhere."""
    if person.case == "son":
        return person.index
    return next(other.index for other in people if other.family == person.family and other.case != "son")


def _home(rng: Random) -> tuple[str, str]:
    postcode, city = rng.choice(_CITIES)
    street = f"{rng.choice(_STREETS)} {rng.randrange(1, 90)}"
    return f"{street}^^{city}^^{postcode}^DE", f"0431 {rng.randrange(100_000, 999_999)}^PRN^PH"
