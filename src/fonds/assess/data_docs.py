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


def make_offline(folder: Path, gates: pl.DataFrame) -> None:
    """Rewrite every page below `folder` without any address of the web and put an index of the suites in front."""
    style = (_HERE / "static" / "data_docs.css").read_text(encoding="utf-8")
    pages = [path for path in sorted(folder.rglob("*.html")) if path.name != "index.html" or path.parent != folder]
    for page in pages:
        text = _ELSEWHERE.sub('href="#"', _ASSETS.sub("", page.read_text(encoding="utf-8")))
        text = re.sub(r"https?://\S+?(?=[\"'<\s)])", "", text)
        home = "../" * len(page.relative_to(folder).parts[:-1]) + "index.html"
        text = _BACK.sub(f'href="{home}"', text)
        text = text.replace("</head>", f"<style>{style}</style></head>", 1)
        text = re.sub(r"(<body\b[^>]*>)", rf'\1<p class="home"><a href="{home}">Data Docs</a></p>', text, count=1)
        page.write_text(text, encoding="utf-8")
    for asset in sorted((folder / "static").rglob("*")):
        if asset.is_file():
            asset.unlink()
    _index(folder, gates, pages, style)


def _index(folder: Path, gates: pl.DataFrame, pages: list[Path], style: str) -> None:
    links = {
        page.relative_to(folder).parts[1]: page for page in pages if page.relative_to(folder).parts[0] == "validations"
    }
    failed = ~pl.col("success")
    summed = gates.group_by("suite", maintain_order=True).agg(
        pl.len().alias("expectations"),
        failed.sum().alias("failed"),
        (failed & (pl.col("severity") == "block")).sum().alias("blocking"),
    )
    rows = []
    for suite, expectations, failing, blocking in summed.rows():
        page = links.get(suite)
        name = html.escape(suite)
        address = quote(page.relative_to(folder).as_posix()) if page else ""
        state = "closed" if blocking else ("failed" if failing else "passed")
        rows.append(
            f'<tr><td><a href="{address}">{name}</a></td><td>{expectations}</td><td>{failing}</td><td>{blocking}</td>'
            f'<td><span class="state {state}">{state}</span></td></tr>'
        )
    template = Template((_HERE / "static" / "data_docs.html").read_text(encoding="utf-8"))
    (folder / "index.html").write_text(template.substitute(style=style, rows="\n".join(rows)), encoding="utf-8")
