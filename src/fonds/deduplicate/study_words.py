"""How alike two study descriptions are: words of the vocabulary made one, then rapidfuzz over distinct pairs."""

from __future__ import annotations

import polars as pl
from rapidfuzz import fuzz, process

from fonds.deduplicate.study_model import StudyMatcher

SCHEMA = {"text_a": pl.String(), "text_b": pl.String(), "description": pl.Float64(), "words": pl.String()}
# how a meaning stands in a text after replacement: no description holds the character, see plain_words in keys.sql
MARK = "~"


def compare(pairs: pl.DataFrame, model: StudyMatcher) -> pl.DataFrame:
    """One row (SCHEMA) for each distinct pair of descriptions (text_a, text_b), both in plain words.

    `description` is the mean of rapidfuzz's token sort and token set ratio, 0 to 100: the first wants all words to be
    there, the second forgives those that one side adds. `words`: agree | opposed | NULL, by the vocabulary.
    """
    texts = pl.concat([pairs["text_a"], pairs["text_b"].alias("text_a")]).unique().to_frame("text")
    read = _read(texts, model)
    a, b = (read.select(pl.all().name.suffix(f"_{side}")) for side in "ab")
    both = pairs.join(a, on="text_a").join(b, on="text_b")
    left, right = both["folded_a"].to_list(), both["folded_b"].to_list()
    ratios = [
        process.cpdist(left, right, scorer=scorer, workers=-1)
        for scorer in (fuzz.token_sort_ratio, fuzz.token_set_ratio)
    ]
    common = {
        kind: pl.col(f"{kind}_a").list.set_intersection(f"{kind}_b").list.len().alias(kind) for kind in model.vocabulary
    }
    known = {kind: (pl.col(f"{kind}_a").list.len() > 0) & (pl.col(f"{kind}_b").list.len() > 0) for kind in common}
    opposed = pl.any_horizontal(pl.lit(False), *(known[kind] & (common[kind] == 0) for kind in common))
    agree = pl.any_horizontal(pl.lit(False), *(known[kind] & (common[kind] > 0) for kind in common))
    return both.select(
        "text_a",
        "text_b",
        pl.Series("description", (ratios[0] + ratios[1]) / 2, dtype=pl.Float64),
        pl.when(opposed).then(pl.lit("opposed")).when(agree).then(pl.lit("agree")).alias("words"),
    )


def _read(texts: pl.DataFrame, model: StudyMatcher) -> pl.DataFrame:
    """(text, folded, one list of meanings for each kind of the vocabulary) of each description."""
    meanings = [
        (phrase, kind, meaning)
        for kind, several in model.vocabulary.items()
        for meaning, phrases in several.items()
        for phrase in phrases
    ]
    # the longest phrase first: WITHOUT CONTRAST is no CONTRAST. Each word stands between two blanks of its own.
    meanings.sort(key=lambda one: -len(one[0]))
    patterns = [f" {phrase.replace(' ', '  ')} " for phrase, _, _ in meanings]
    marks = [f" {MARK}{kind}.{meaning} " for _, kind, meaning in meanings]
    spaced = pl.concat_str(pl.lit(" "), pl.col("text").str.replace_all(" ", "  ", literal=True), pl.lit(" "))
    marked = spaced.str.replace_many(patterns, marks, leftmost=True) if patterns else spaced
    return texts.with_columns(folded=marked.str.replace_all(r" +", " ").str.strip_chars(" ")).with_columns(
        pl.col("folded").str.extract_all(rf"{MARK}{kind}\.[a-z0-9_-]+").list.unique().alias(kind)
        for kind in model.vocabulary
    )
