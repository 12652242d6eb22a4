"""A tour of the catalog in plain DuckDB: what is there, how good it is, what would change, where it all ended."""

import marimo

__generated_with = "0.25.2"
app = marimo.App(width="medium", app_title="A tour of the catalog")


@app.cell
def _():
    import os
    from pathlib import Path

    import altair as alt
    import duckdb
    import marimo as mo

    from fonds.project.settings import load

    return Path, alt, duckdb, load, mo, os


@app.cell
def _(mo):
    mo.md("""
# A tour of the catalog

Fonds keeps what it knows in tables. After every stage it publishes **`catalog/catalog.duckdb`**: a small file
of views over the tables' Parquet files. Plain DuckDB opens it, without Fonds and without an extension:

    duckdb -readonly catalog/catalog.duckdb "select state, count(*) from reconciliation group by 1"

```python
import duckdb
catalog = duckdb.connect("catalog/catalog.duckdb", read_only=True)
catalog.sql("from studies order by StudyDate desc limit 10")
```

Open it read-only: many can read at once, also while a stage writes. It shows the state of the last finished
stage. This notebook reads the project in the environment variable `FONDS_PROJECT`, or else the demo project.
""")
    return


@app.cell
def _(Path, load, os):
    demo = Path(__file__).resolve().parents[1] / "demo"
    project = load(os.environ.get("FONDS_PROJECT") or (demo if demo.is_dir() else "."))
    published = project.catalog_dir / "catalog.duckdb"
    if not published.is_file():
        raise FileNotFoundError(f"{published} isn't there; run `fonds run` (or `make demo`) first")
    return project, published


@app.cell
def _(duckdb, project, published):
    catalog = duckdb.connect(str(published), read_only=True)

    def ask(query):
        """The answer of a query as a frame."""
        return catalog.sql(query).pl()

    def shipped(name):
        """The answer of one of the report's queries: reports/sql holds them, the project's own copy first."""
        return ask(project.find(f"reports/sql/{name}.sql").read_text(encoding="utf-8"))

    return ask, catalog, shipped


@app.cell
def _(ask, mo):
    names = ask("SELECT table_name FROM information_schema.tables ORDER BY 1")["table_name"].to_list()
    tables = ask(" UNION ALL ".join(f"SELECT '{name}' AS name, count(*) AS rows FROM \"{name}\"" for name in names))
    mo.vstack(
        [
            mo.md("## What is in it\n\n`docs/catalog.md` tells every column; `describe instances` in SQL does, too."),
            mo.ui.table(tables, selection=None, page_size=30),
        ]
    )
    return (tables,)


@app.cell
def _(ask, mo):
    studies = ask("FROM studies ORDER BY StudyDate DESC NULLS LAST, StudyInstanceUID LIMIT 20")
    records = ask(
        "SELECT source, count(*) AS records, sum(studies) AS studies FROM patient_records GROUP BY 1 ORDER BY 1"
    )
    mo.vstack(
        [
            mo.md(
                "## Roll-ups\n\n`instances` has one row an object, with about eighty attributes as raw text. "
                "`series`, `studies` and `patient_records` roll it up; a patient record is one spelling of one person "
                "in one source."
            ),
            mo.ui.table(records, selection=None),
            mo.ui.table(studies, selection=None),
        ]
    )
    return records, studies


@app.cell
def _(alt, mo, shipped):
    modalities = shipped("inventory_by_modality")
    chart = (
        alt.Chart(modalities).mark_bar().encode(x="objects:Q", y=alt.Y("modality:N", sort="-x"), color="source:N")
        if modalities.height
        else mo.md("No objects yet.")
    )
    mo.vstack([mo.md("## Objects by modality"), chart])
    return (modalities,)


@app.cell
def _(ask, mo, shipped):
    quality = shipped("quality_by_level")
    findings = ask(
        """
        SELECT department, check_id, any_value(name) AS name, any_value(severity) AS severity, count(*) AS findings,
            min(value) AS for_example
        FROM findings GROUP BY department, check_id ORDER BY findings DESC, check_id, department
        """
    )
    mo.vstack(
        [
            mo.md(
                "## How good it is\n\nA finding is one entity that fails one check; `scorecard` has how many it was "
                "asked of. The score weighs blocking findings 100, critical 20, major 5, minor 1."
            ),
            mo.ui.table(quality, selection=None),
            mo.ui.table(findings, selection=None),
        ]
    )
    return findings, quality


@app.cell
def _(ask, mo):
    values = ask(
        """
        SELECT c.attribute, c.before AS raw, e.value AS effective, c.rule, c.state, count(*) AS objects
        FROM changes c JOIN (
            FROM (SELECT source, location, PatientName, PatientBirthDate, PatientSex, StudyDate, Modality,
                BodyPartExamined, InstitutionName, AccessionNumber, PatientID, IssuerOfPatientID
                FROM effective SEMI JOIN changes USING (source, location))
            UNPIVOT INCLUDE NULLS (value FOR attribute IN (COLUMNS(* EXCLUDE (source, location))))
        ) e USING (source, location, attribute)
        GROUP BY ALL ORDER BY objects DESC, attribute, raw, c.rule, c.state LIMIT 100
        """
    )
    mo.vstack(
        [
            mo.md(
                "## Raw and effective\n\nWhat the source said is never overwritten. `effective` is the same table with "
                "the approved changes applied; a proposed change shows in `changes` but not there."
            ),
            mo.ui.table(values, selection=None),
        ]
    )
    return (values,)


@app.cell
def _(alt, ask, mo, shipped):
    weights = shipped("match_weights")
    persons = ask(
        """
        SELECT p.person_id, list(r.source ORDER BY r.source) AS sources, list(DISTINCT r.PatientName) AS spellings,
            sum(r.studies)::BIGINT AS studies
        FROM persons p JOIN patient_records r USING (record_id) GROUP BY p.person_id HAVING count(*) > 1
        ORDER BY studies DESC, p.person_id LIMIT 50
        """
    )
    histogram = (
        alt.Chart(weights).mark_bar().encode(x=alt.X("weight:Q", bin=alt.Bin(step=1)), y="sum(pairs):Q", color="band:N")
        if weights.height
        else mo.md("No pair was compared yet.")
    )
    mo.vstack(
        [
            mo.md("## Who is who\n\nPersons with more than one record, and the weights of all compared pairs."),
            histogram,
            mo.ui.table(persons, selection=None),
        ]
    )
    return persons, weights


@app.cell
def _(ask, mo):
    duplicates = ask(
        """
        SELECT class, disposition, count(DISTINCT group_id) AS groups, count(*) AS members, min(evidence) AS for_example
        FROM duplicates GROUP BY class, disposition ORDER BY class, disposition
        """
    )
    mo.vstack([mo.md("## What is there twice"), mo.ui.table(duplicates, selection=None)])
    return (duplicates,)


@app.cell
def _(ask, mo, shipped):
    checks = shipped("reconciliation_checks")
    states = ask(
        """
        SELECT state, reason, count(*) AS files FROM reconciliation
        GROUP BY state, reason ORDER BY files DESC, state, reason
        """
    )
    mo.vstack(
        [
            mo.md(
                "## Where everything ended\n\nEvery file of the inventory is in exactly one final state. `fonds "
                "explain study UID` tells the whole story of one study."
            ),
            mo.ui.table(checks, selection=None),
            mo.ui.table(states, selection=None),
        ]
    )
    return checks, states


if __name__ == "__main__":
    app.run()
