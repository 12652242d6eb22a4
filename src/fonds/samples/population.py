"""Hospital populations of any size with their truth, made set-at-a-time: the measure of matching.

Persons live in households, several departments keep records of them under identifiers of their own, and the records
carry the mistakes and habits that population_errors describes. Everything follows from the seed alone.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import polars as pl

from fonds.errors import ContentNotFound
from fonds.samples import population_errors as errors
from fonds.samples.population_draws import Draws, hashed
from fonds.samples.population_people import persons
from fonds.samples.population_profiles import PROFILES, Profile

# name, issuer, share of registrations, how names are written down
_SOURCES = (
    ("radiology", "HIS", 0.3, "as is"), ("surgery", "HIS", 0.1, "upper, bare"), ("emergency", "HIS", 0.1, "bare"),
    ("cardiology", "KARD", 0.14, "upper, German"), ("oncology", "ONK", 0.1, "as is"),
    ("pathology", "PATH", 0.09, "comma"), ("practice", "PRAX", 0.09, "German"),
    ("teleradiology", "teleradiology", 0.08, "upper, bare"),
)  # fmt: skip
_PREFIXES = ("", "", "", "C-", "ONK", "P", "00", "T")
_PLACEHOLDERS = ("TRAUMA^UNKNOWN", "UNBEKANNT^", "NN^NN", "DOE^JOHN", "NOTFALL^MAENNLICH")
_DEFAULTS = ("19000101", "19000101", "19000101", "19700101", "18991231", "11111111")
Change = Callable[[pl.Series, Draws], pl.Series]
_WRITTEN = ("source", "issuer", "PatientID", "PatientName", "PatientBirthName", "PatientBirthDate", "PatientSex")
_CONTACT = ("phone", "street", "postcode", "city", "mother", "national_id")


def population(records: int, seed: int, profile: str = "mild") -> pl.DataFrame:
    """`records` rows in the order of record_id: what departments wrote down, and the truth beside it.

    Columns: record_id, person (truth), household (truth), overlay (truth: the identifier is another person's), source,
    issuer, PatientID, PatientName, PatientBirthName, PatientBirthDate, PatientSex, phone, street, postcode, city,
    mother (her name by birth), national_id, last_study (YYYYMMDD); NULL where nothing is known. Profiles: clean, mild,
    harsh, hard (dense in twins, fathers and sons of one name, overlays, default birth dates, families at one address).
    Raises ContentNotFound for another profile.
    """
    if profile not in PROFILES:
        raise ContentNotFound(f"there is no profile {profile}; there are: {', '.join(PROFILES)}")
    wanted = PROFILES[profile]
    people = records * 2 // 3 + 200  # each has 1.6 records and more
    registered = _registrations(people, seed, wanted).head(records)
    alive = int(registered["person"].max() or 0) + 1  # type: ignore[arg-type]
    known = persons(people, seed, wanted).head(alive)
    rows = registered.join(known, on="person", how="left", maintain_order="left")
    draws = Draws(seed, "record", rows["place"].to_numpy())
    haste = np.where(draws.happens("sloppy", wanted.sloppy), wanted.haste, 1.0) * wanted.mistakes
    rows = _named(rows, draws, haste)
    rows = _born(rows, draws, haste, wanted)
    rows = _reached(rows, draws, haste, wanted)
    order = hashed(seed, "order", rows.height).argsort(kind="stable").argsort(kind="stable")
    return (
        rows.with_columns(
            (pl.lit("r") + pl.Series(order).cast(pl.String).str.zfill(8)).alias("record_id"),
            (pl.lit("p") + pl.col("person").cast(pl.String).str.zfill(8)).alias("person"),
            (pl.lit("h") + pl.col("household").cast(pl.String).str.zfill(8)).alias("household"),
        )
        .select("record_id", "person", "household", "overlay", *_WRITTEN, *_CONTACT, "last_study")
        .sort("record_id")
    )


def true_pairs(frame: pl.DataFrame) -> pl.DataFrame:
    """All pairs of records of one person: record_a < record_b."""
    some = frame.select("record_id", "person")
    both = some.join(some, on="person", suffix="_b").filter(pl.col("record_id") < pl.col("record_id_b"))
    return both.select(pl.col("record_id").alias("record_a"), pl.col("record_id_b").alias("record_b")).sort(
        "record_a", "record_b"
    )


def _registrations(people: int, seed: int, profile: Profile) -> pl.DataFrame:
    """Who is registered where and under which identifier: person, place (of its draws), source, issuer, PatientID."""
    me = Draws(seed, "registration", people)
    known_to = 1 + me.kind("sources", profile.sources)
    shares = np.array([share for _, _, share, _ in _SOURCES])
    keys = np.stack([me.share(f"source {n}") ** (1 / share) for n, share in enumerate(shares)], axis=1)
    rank = (-keys).argsort(axis=1, kind="stable").argsort(axis=1, kind="stable")
    person, source = np.nonzero(rank < known_to[:, None])
    first = person * 64 + source
    # a person already known is registered once more: under the same identifier, or under another
    again, other = (
        first[Draws(seed, what, first).happens(what, share)]
        for what, share in (("again", profile.again), ("second identifier", profile.second_id))
    )
    place = np.sort(np.concatenate([first, again + 16, other + 32]))
    person, source, second = place // 64, place % 16, place % 64 >= 32
    issuers = [issuer for _, issuer, _, _ in _SOURCES]
    names = list(dict.fromkeys(issuers))
    issuer = np.array([names.index(name) for name in issuers])[source]
    owner = person + np.where(second, people, 0)
    owner, overlay = _overlaid(owner, person, issuer, Draws(seed, "overlay", place), profile)
    number = 1_000_000 + (owner * 48_271 + 7_919 * issuer) % 89_999_999
    return pl.DataFrame(
        {"person": person, "place": place, "number": source, "overlay": overlay, "identifier": number}
    ).with_columns(
        pl.Series("source", [name for name, _, _, _ in _SOURCES]).gather(source),
        pl.Series("issuer", issuers).gather(source),
        pl.Series("habit", [habit for _, _, _, habit in _SOURCES]).gather(source),
        (pl.Series(_PREFIXES).gather(source) + pl.col("identifier").cast(pl.String)).alias("PatientID"),
    )  # fmt: skip


def _overlaid(
    owner: npt.NDArray[np.int64],
    person: npt.NDArray[np.int64],
    issuer: npt.NDArray[np.int64],
    draws: Draws,
    profile: Profile,
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """Owners of the identifiers, where somebody else was picked from the list: half of them from the own family."""
    # who has no name yet is neither looked up in a list of names nor picked from it
    named = ~Draws(draws.seed, "record", draws.places).happens("placeholder", profile.placeholder)
    overlay = named & draws.happens("overlay", profile.overlay)
    near, shift = draws.happens("near", 0.5), draws.share("shift")
    changed = owner.copy()
    for number in range(int(issuer.max(initial=-1)) + 1):
        here = np.flatnonzero((issuer == number) & named)
        wrong = np.flatnonzero(overlay[here])
        far = (shift[here[wrong]] * len(here)).astype(np.int64)
        step = np.where(near[here[wrong]], 1 + (shift[here[wrong]] * 3).astype(np.int64), far)
        changed[here[wrong]] = person[here[(wrong + step) % len(here)]]
    return changed, overlay & (changed != person)


def _changed(
    rows: pl.DataFrame, name: str, chosen: npt.NDArray[np.bool_], draws: Draws, change: Change
) -> pl.DataFrame:
    """The column with the chosen rows' known values changed; draws follow the rows' own places."""
    at = np.flatnonzero(chosen & rows[name].is_not_null().to_numpy() & (rows[name] != "").fill_null(False).to_numpy())
    if not len(at):
        return rows
    places = draws.places[at]  # type: ignore[index]
    changed = change(rows[name].gather(at), Draws(draws.seed, f"{draws.what} {name} {change.__name__}", places))
    return rows.with_columns(rows[name].scatter(at, changed).alias(name))


def _named(rows: pl.DataFrame, draws: Draws, haste: npt.NDArray[np.float64]) -> pl.DataFrame:
    """PatientName and PatientBirthName as this department has them."""

    def chance(purpose: str, share: float) -> npt.NDArray[np.bool_]:
        return draws.happens(purpose, np.minimum(share * haste, 0.9))

    def series(purpose: str, share: float) -> pl.Series:
        return pl.Series(draws.happens(purpose, share))

    u, v = pl.Series(draws.share("parts")), pl.Series(draws.share("given parts"))
    rows = rows.with_columns(
        pl.when(series("before marriage", 0.3)).then(pl.coalesce("maiden", "family")).otherwise("family")
        .alias("family"),
        pl.when(series("born", 0.3)).then("maiden").alias("PatientBirthName"),
    ).with_columns(
        # double surnames: one part is left out, or a space stands for the hyphen and the other way round
        pl.when(pl.col("culture") == 4).then(
            pl.when(u < 0.14).then(pl.col("family").str.replace(r"(\S) \S+$", "$1"))
            .when(u < 0.24).then(pl.col("family").str.replace(r" (\S+)$", "-$1"))
            .when(u < 0.25).then(pl.col("family").str.replace(r"^(\S+) (\S+)$", "$2 $1")).otherwise("family")
        ).otherwise(
            pl.when(u < 0.1).then(pl.col("family").str.replace(r"-[^-]+$", ""))
            .when(u < 0.16).then(pl.col("family").str.replace(r"^[^-]{3,}-", ""))
            .when(u < 0.26).then(pl.col("family").str.replace("-", " ", literal=True)).otherwise("family")
        ).alias("family"),
        pl.when(v < 0.08).then(pl.col("given").str.replace(r"[- ].+$", ""))
        .when(v < 0.14).then(pl.col("given").str.replace("-", " ", literal=True))
        .when(v < 0.18).then(pl.col("given").str.replace_all("[- ]", "")).otherwise("given").alias("given"),
        pl.when(series("no middle", 0.45)).then(pl.lit(""))
        .when(series("middle's initial", 0.25)).then(pl.col("middle").str.slice(0, 1)).otherwise("middle")
        .alias("middle"),
    )  # fmt: skip
    called = pl.Series(chance("called by the second name", 0.006))
    called = called & (rows["middle"].str.len_chars() > 1)
    rows = rows.with_columns(
        pl.when(called).then("middle").otherwise("given").alias("given"),
        pl.when(called).then("given").otherwise("middle").alias("middle"),
    )
    rows = _changed(rows, "given", chance("nickname", 0.02), draws, errors.other_given)
    rows = _changed(rows, "family", chance("romanised", 0.02), draws, errors.other_family)
    again = Draws(draws.seed, "record again", draws.places)
    for name, share in (("family", 0.018), ("given", 0.015), ("middle", 0.01), ("PatientBirthName", 0.018)):
        wrong = chance(f"{name} slips", share)
        rows = _changed(rows, name, wrong, draws, errors.slip)
        rows = _changed(rows, name, wrong & draws.happens(f"{name} twice", 0.12), again, errors.slip)
    short = pl.Series(5 + draws.below("letters", 6))
    swapped = pl.Series(chance("swapped", 0.004)) & (rows["given"] != "")
    rows = rows.with_columns(
        pl.when(pl.Series(chance("initial", 0.003))).then(pl.col("given").str.slice(0, 1)).otherwise("given")
        .alias("given"),
        pl.when(pl.Series(chance("cut", 0.003))).then(pl.col("family").str.slice(0, short)).otherwise("family")
        .alias("family"),
    )  # fmt: skip
    rows = rows.with_columns(
        pl.when(swapped).then("given").otherwise("family").alias("family"),
        pl.when(swapped).then("family").otherwise("given").alias("given"),
    )
    title = pl.when(series("title", 0.012)).then(pl.lit("Dr.")).otherwise(pl.lit(""))
    plain = pl.format("{}^{}^{}^{}^{}", "family", "given", "middle", title, "suffix").str.strip_chars_end("^")
    whole = pl.when(pl.col("habit") == "comma").then(pl.format("{}, {}", "family", "given")).otherwise(plain)
    return _habits(rows.with_columns(whole.alias("PatientName")), "PatientName", "PatientBirthName")


def _habits(rows: pl.DataFrame, *names: str) -> pl.DataFrame:
    """Spelling by the department's system: marks kept, written out or lost; capitals."""
    found = []
    for name in names:
        text = pl.col(name)
        text = (
            pl.when(pl.col("habit").str.contains("German")).then(errors.transliterate(text))
            .when(pl.col("habit").str.contains("bare|comma")).then(errors.strip_marks(text)).otherwise(text)
        )  # fmt: skip
        found.append(
            pl.when(pl.col("habit").str.contains("upper")).then(text.str.to_uppercase()).otherwise(text).alias(name)
        )
    return rows.with_columns(found)


def _born(rows: pl.DataFrame, draws: Draws, haste: npt.NDArray[np.float64], profile: Profile) -> pl.DataFrame:
    """PatientBirthDate, PatientSex, last_study; and the records of which little or nothing is known."""
    birth = rows["birth"].to_numpy()
    last = pl.Series(np.maximum(20_620 - draws.below("last study", 8_000), birth + draws.below("baby", 200)))
    rows = rows.with_columns(
        pl.from_epoch("birth", "d").dt.strftime("%Y%m%d").alias("PatientBirthDate"),
        pl.from_epoch(last, "d").dt.strftime("%Y%m%d").alias("last_study"),
    )
    wrong = draws.happens("date", np.minimum(0.012 * haste, 0.9))
    rows = _changed(rows, "PatientBirthDate", wrong, draws, errors.wrong_date)
    defaults = pl.Series(_DEFAULTS).gather(draws.below("default", len(_DEFAULTS)))
    default = pl.Series(draws.happens("default birth", profile.default_birth))
    unknown = pl.Series(draws.happens("no birth", 0.01 * profile.empty))
    odd = pl.Series(draws.share("sex"))
    nobody = pl.Series(draws.happens("placeholder", profile.placeholder))
    names = pl.Series(_PLACEHOLDERS).gather(draws.below("who", len(_PLACEHOLDERS)))
    newborn = pl.Series(birth) > pl.Series(draws.share("newborn")) * 400 + 20_200
    baby = pl.when(pl.col("sex") == "M").then(pl.lit("BABY BOY")).otherwise(pl.lit("BABY GIRL"))
    called = pl.format("{}^{}", "family", baby)
    return rows.with_columns(
        pl.when(nobody).then(pl.when(newborn).then(called).otherwise(names)).otherwise("PatientName").alias("PatientName"),
        pl.when(default | (nobody & ~newborn)).then(defaults).when(~unknown).then("PatientBirthDate")
        .alias("PatientBirthDate"),
        pl.when(odd < 0.004).then(pl.when(pl.col("sex") == "M").then(pl.lit("F")).otherwise(pl.lit("M")))
        .when(odd < 0.008).then(pl.lit("O")).when(odd > 0.008 + 0.03 * profile.empty).then("sex").alias("PatientSex"),
    )  # fmt: skip


def _reached(rows: pl.DataFrame, draws: Draws, haste: npt.NDArray[np.float64], profile: Profile) -> pl.DataFrame:
    """Phone, address, mother's name and national identifier."""
    old = pl.Series(draws.happens("old address", 0.5))
    own = pl.Series(Draws(draws.seed, "own phone", rows["person"].to_numpy()).happens("own", profile.own_phone))
    number = pl.when(own).then("own_phone").otherwise("phone").cast(pl.String)
    abbreviated = pl.col("street").str.replace("straße", "str.", literal=True)
    rows = rows.with_columns(
        (pl.lit("0") + number).alias("phone"),
        *(pl.when(old).then(pl.coalesce(f"old_{name}", name)).otherwise(name).alias(name) for name in
          ("street", "postcode", "city")),
        pl.col("national_id").cast(pl.String),
    ).with_columns(
        pl.when(pl.Series(draws.happens("abbreviated", 0.35))).then(abbreviated).otherwise("street").alias("street"),
    )  # fmt: skip
    for name, share, change in (
        ("phone", 0.02, errors.digit_slip), ("postcode", 0.01, errors.digit_slip), ("street", 0.03, errors.slip),
        ("city", 0.01, errors.slip), ("mother", 0.03, errors.slip), ("national_id", 0.006, errors.digit_slip),
    ):  # fmt: skip
        rows = _changed(rows, name, draws.happens(name, np.minimum(share * haste, 0.9)), draws, change)
    missing = {"phone": 0.3, "street": 0.15, "postcode": 0.12, "city": 0.12, "mother": 0.6, "national_id": 0.45}
    kept = [
        pl.when(pl.Series(draws.happens(f"no {name}", 1 - share * profile.empty))).then(name).alias(name)
        for name, share in missing.items()
    ]
    return _habits(rows.with_columns(kept), "street", "city", "mother")
