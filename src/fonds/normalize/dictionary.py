"""Around a procedure dictionary: codes a site loads, the list with its studies, what is unmapped, how it grows."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Any, Literal

import polars as pl
from ruamel.yaml import YAML

from fonds.catalog.store import Catalog, literal, quote
from fonds.errors import ContentNotFound, DefinitionInvalid
from fonds.normalize.definition import Placed
from fonds.normalize.lookup import Matcher
from fonds.normalize.lookup_model import CodeMap, Lookup
from fonds.normalize.lookup_sql import decided
from fonds.normalize.order import pipelines
from fonds.project.settings import Project

System = Literal["loinc", "rsna"]
# the published files' own column names; the first that is there counts
COLUMNS: dict[str, dict[str, tuple[str, ...]]] = {
    "code": {"loinc": ("LOINC_NUM", "LoincNumber"), "rsna": ("RPID",)},
    "name": {"loinc": ("LONG_COMMON_NAME", "LongCommonName"), "rsna": ("LONG_NAME", "LongName")},
}
LOINC = re.compile(r"[0-9]{1,7}-[0-9]")
RPID = re.compile(r"RPID[0-9]{1,7}")
SHOWN_MISTAKES = 10
# the texts a rule reads and the modalities of their studies, each with how many studies have it
TEXTS = """
SELECT {texts} AS texts, modalities, count(DISTINCT StudyInstanceUID) AS studies
FROM (
    SELECT *, array_to_string(list_sort(list(DISTINCT Modality) OVER (PARTITION BY source, StudyInstanceUID)), '\\')
        AS modalities
    FROM effective WHERE source IN ({sources})
)
GROUP BY ALL ORDER BY studies DESC, texts
"""


def table_of(project: Project, system: System) -> Path:
    """Where the project keeps the codes of a system; the file is there once they were loaded."""
    return project.root / "rules" / "site" / "tables" / f"{system}.csv"


def load_codes(project: Project, file: Path, system: System) -> dict[str, int]:
    """Take the codes of radiology out of a published CSV into the project; returns how many, and how many it left out.

    LOINC's own table (Loinc.csv) or the LOINC/RSNA Radiology Playbook file; of the first, rows of other classes and
    deprecated ones are left out. Raises DefinitionInvalid for a file without the columns or with illegal codes.
    """
    header = _read(file, 0).columns
    code, name = (_column(file, header, COLUMNS[what][system]) for what in ("code", "name"))
    kept = ["CLASS", "STATUS", *COLUMNS["code"]["rsna"]]
    rows = _read(file, None, [code, name, *(one for one in kept if one in header and one != code)])
    rows = rows.with_row_index("line", offset=2).rename({code: "code", name: "name"})
    total = rows.height
    if "CLASS" in rows.columns:
        rows = rows.filter(pl.col("CLASS").str.starts_with("RAD"))
    if "STATUS" in rows.columns:
        rows = rows.filter(pl.col("STATUS") != "DEPRECATED")
    legal = pl.col("code").str.contains(f"^{(LOINC if system == 'loinc' else RPID).pattern}$").fill_null(value=False)
    if system == "loinc":
        legal &= pl.col("code").map_elements(_checked, return_dtype=pl.Boolean)
    wrong = rows.filter(~legal)
    if wrong.height:
        shown = wrong.head(SHOWN_MISTAKES)
        mistakes = [(line, f"column {code}: is no {system} code") for line in shown.get_column("line")]
        raise DefinitionInvalid(str(file), [(line, text) for line, text in mistakes])
    if not rows.height:
        raise DefinitionInvalid(str(file), [(None, "has no row of radiology")])
    made = rows.unique("code", keep="first", maintain_order=True)
    playbook = "RPID" if "RPID" in made.columns else None
    made = made.select("code", "name", (pl.col(playbook) if playbook else pl.lit("")).alias("rpid")).sort("code")
    target = table_of(project, system)
    target.parent.mkdir(parents=True, exist_ok=True)
    made.write_csv(target)
    return {"codes": made.height, "rows left out": total - rows.height}


def codes(project: Project, system: System) -> dict[str, str] | None:
    """{code: name} of a system; None when the project has not loaded it."""
    path = table_of(project, system)
    if not path.is_file():
        return None
    return dict(_read(path, None, ["code", "name"]).iter_rows())


def rules(project: Project) -> dict[str, tuple[Placed, tuple[str, ...]]]:
    """The rules in use that look descriptions up, by id, each with the sources where it acts."""
    found: dict[str, tuple[Placed, tuple[str, ...]]] = {}
    for source, order in pipelines(project).rules.items():
        for placed in order:
            if isinstance(placed.rule, Lookup):
                found[placed.rule.id] = (placed, (*found.get(placed.rule.id, (placed, ()))[1], source))
    return found


def chosen(project: Project, rule: str | None) -> tuple[Placed, tuple[str, ...]]:
    """One rule that looks up; raises ContentNotFound when there is none of the name, or several and none was named."""
    found = rules(project)
    name = rule or (next(iter(found)) if len(found) == 1 else "")
    if name not in found:
        known = ", ".join(found) or "none: name a pack that has one in fonds.yaml"
        raise ContentNotFound(f"which rule? Rules that look descriptions up: {known}", name=name)
    return found[name]


def listing(project: Project, rule: str | None = None) -> pl.DataFrame:
    """The procedures of a rule's dictionary, their codes, whether these are known, how many studies have each."""
    placed, sources = chosen(project, rule)
    counts = _studies(project, placed, sources)
    tables = {system: codes(project, system) for system in ("loinc", "rsna")}
    rows = []
    for entry in _of(placed).file.procedures:
        plain = {"code": entry.code, "meaning": entry.meaning, "modality": ", ".join(entry.modality)}
        plain |= {"laterality": entry.laterality, "contrast": entry.contrast}
        for mapped in entry.maps or (None,):
            rows.append({**plain, **_map(mapped, tables), "studies": counts.get(entry.meaning, 0)})
    return pl.DataFrame(rows, infer_schema_length=None)


def unmapped(project: Project, rule: str | None = None) -> pl.DataFrame:
    """Texts that lead to no procedure, and to no question: text, modalities, studies; those of most studies first."""
    placed, sources = chosen(project, rule)
    assert isinstance(placed.rule, Lookup)
    matcher = Matcher(placed.rule, _of(placed), decided(project).get(placed.rule.id, {}))
    names = ", ".join(quote(word) for word in placed.rule.read_texts())
    sql = TEXTS.format(texts=f"[{names}]", sources=", ".join(map(literal, sources)))
    with Catalog(project).connect() as connection:
        found = connection.sql(sql).pl()
    asked = [(tuple(texts), of) for texts, of, _ in found.iter_rows()]
    left = [
        {"text": next(text for text in texts if text and text.strip()), "modalities": of, "studies": studies}
        for (texts, of, studies), answer in zip(found.iter_rows(), matcher.find(asked), strict=True)
        if answer is None and any(text and text.strip() for text in texts)
    ]
    return pl.DataFrame(left, schema={"text": pl.String(), "modalities": pl.String(), "studies": pl.Int64()})


def grown(project: Project, rule: str | None = None) -> str:
    """The dictionary's YAML with the spellings that stewards mapped added to their procedures; comments are kept."""
    placed, _ = chosen(project, rule)
    dictionary = _of(placed)
    yaml = YAML()
    yaml.width = 120
    data = yaml.load(dictionary.path.read_text(encoding="utf-8"))
    known = {(spelling.text.key, spelling.text.side, spelling.text.contrast) for spelling in dictionary.spellings}
    for spelling, made in decided(project).get(placed.rule.id, {}).items():
        text = dictionary.folding.fold(spelling)
        for one in made:
            number = dictionary.codes.get(one.code or "")
            if number is not None and (text.key, text.side, text.contrast) not in known:
                data["procedures"][number].setdefault("spellings", []).append(spelling)
    out = io.StringIO()
    yaml.dump(data, out)
    return out.getvalue()


def _of(placed: Placed) -> Any:
    return placed.dictionary


def _map(mapped: CodeMap | None, tables: dict[str, dict[str, str] | None]) -> dict[str, str]:
    if mapped is None:
        return dict.fromkeys(("system", "standard_code", "name", "mapped_by", "mapped_at", "how", "known"), "")
    table = tables[mapped.system]
    known = "not loaded" if table is None else "yes" if mapped.code in table else "no"
    return {
        "system": mapped.system,
        "standard_code": mapped.code,
        "name": (table or {}).get(mapped.code, ""),
        "mapped_by": mapped.by,
        "mapped_at": mapped.at.isoformat(),
        "how": mapped.how,
        "known": known,
    }


def _studies(project: Project, placed: Placed, sources: tuple[str, ...]) -> dict[str, int]:
    word = quote(placed.rule.attributes[0])
    with Catalog(project).connect() as connection:
        return dict(
            connection.sql(
                f"SELECT {word}, count(DISTINCT StudyInstanceUID) FROM effective "
                f"WHERE source IN ({', '.join(map(literal, sources))}) AND {word} IS NOT NULL GROUP BY ALL"
            ).fetchall()
        )


def _read(file: Path, rows: int | None, columns: list[str] | None = None) -> pl.DataFrame:
    try:
        return pl.read_csv(file, columns=columns, n_rows=rows, infer_schema=False).fill_null("")
    except OSError as error:
        raise DefinitionInvalid(str(file), [(None, f"can't be read: {error.strerror}")]) from None
    except pl.exceptions.PolarsError:
        raise DefinitionInvalid(str(file), [(None, "is no CSV in UTF-8 with a line of column names")]) from None


def _column(file: Path, header: list[str], names: tuple[str, ...]) -> str:
    found = next((name for name in names if name in header), None)
    if found is None:
        raise DefinitionInvalid(str(file), [(1, f"has no column {' or '.join(names)}")])
    return found


def _checked(code: str) -> bool:
    """Whether a LOINC number's last digit is the check digit of the others (modulus 10, as LOINC computes it)."""
    digits, _, check = code.partition("-")
    if not digits.isdecimal() or not check.isdecimal():
        return False
    odd, even = digits[::-1][::2][::-1], digits[::-1][1::2][::-1]
    added = sum(int(sign) for sign in even + str(int(odd) * 2))
    return -added % 10 == int(check)
