"""Makes Great Expectations' Data Docs open without network: assets on CDNs give way to one style sheet of ours."""

from __future__ import annotations

import html
import re
from pathlib import Path
from string import Template
from urllib.parse import quote

import polars as pl

_HERE = Path(__file__).parent
# Scripts only serve what lies on CDNs (sortable tables, dialogs, help links); the pages are rendered without them
_ASSETS = re.compile(
    r"<script\b.*?</script>|<link\b[^>]*>|<style\b.*?</style>|<img\b[^>]*>|<form\b.*?</form>|<iframe\b.*?</iframe>",
    re.DOTALL | re.IGNORECASE,
)
_ELSEWHERE = re.compile(r"""(?:href|src)\s*=\s*["']https?://[^"']*["']""", re.IGNORECASE)
_BACK = re.compile(r'href="[^"]*index\.html"')


def make_offline(folder: Path) -> None:
    """Rewrite every page below `folder`, a stage's, without any address of the web."""
    style = (_HERE / "static" / "data_docs.css").read_text(encoding="utf-8")
    for page in sorted(folder.rglob("*.html")):
        if page.parent == folder:
            page.unlink()  # the library's own index; make_index writes one over all stages
            continue
        text = _ELSEWHERE.sub('href="#"', _ASSETS.sub("", page.read_text(encoding="utf-8")))
        text = re.sub(r"https?://\S+?(?=[\"'<\s)])", "", text)
        home = "../" * len(page.relative_to(folder).parts) + "index.html"
        text = _BACK.sub(f'href="{home}"', text)
        text = text.replace("</head>", f"<style>{style}</style></head>", 1)
        text = re.sub(r"(<body\b[^>]*>)", rf'\1<p class="home"><a href="{home}">Data Docs</a></p>', text, count=1)
        page.write_text(text, encoding="utf-8")
    for asset in sorted((folder / "static").rglob("*")):
        if asset.is_file():
            asset.unlink()


def make_index(folder: Path, gates: pl.DataFrame) -> None:
    """The page in front: each suite and source of both stages, what failed there, and the page that shows it."""
    style = (_HERE / "static" / "data_docs.css").read_text(encoding="utf-8")
    failed = ~pl.col("success")
    summed = gates.group_by("stage", "suite", "source", "stops", maintain_order=True).agg(
        pl.len().alias("expectations"),
        failed.sum().alias("failed"),
        pl.col("unexpected").filter(failed).sum().alias("rows"),
    )
    rows = []
    for stage, suite, source, stops, expectations, failing, entities in summed.rows():
        # the library makes a folder of each part of a suite's name between dots
        where = folder.joinpath(stage, "validations", suite, *source.split("."))
        page = next(iter(sorted(where.rglob("*.html"))), None)
        address = quote(page.relative_to(folder).as_posix()) if page else ""
        name = html.escape(f"{suite}: {source}")
        told = f'<a href="{address}">{name}</a>' if page else name
        state = "passed" if not failing else "closed" if stops == "wave" else "failed"
        cells = "".join(f"<td>{cell}</td>" for cell in (told, stage, expectations, failing, f"{entities:,}"))
        rows.append(f'<tr>{cells}<td><span class="state {state}">{state}</span></td></tr>')
    template = Template((_HERE / "static" / "data_docs.html").read_text(encoding="utf-8"))
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "index.html").write_text(template.substitute(style=style, rows="\n".join(rows)), encoding="utf-8")
