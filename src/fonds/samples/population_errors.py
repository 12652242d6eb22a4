"""How records go wrong: slips of the fingers, of the scanner and of the ear, and habits of registration desks.

The kinds and their shares follow the literature on generators for record linkage (GeCo: Tran, Vatsalan, Christen 2013;
FEBRL: Christen 2008) and on registration errors, not the levels of any matcher.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import polars as pl

from fonds.samples.population_draws import Draws

_KEYS = {
    "a": "qsyw", "b": "vnhg", "c": "xvdf", "d": "sferxc", "e": "wrd", "f": "dgrtcv", "g": "fhtzvb", "h": "gjzubn",
    "i": "uok", "j": "hkuinm", "k": "jliom", "l": "kopö", "m": "nkj", "n": "bmhj", "o": "iplk", "p": "oüö",
    "q": "wa", "r": "etf", "s": "adwexy", "t": "rzgf", "u": "zihj", "v": "cbfg", "w": "qeas", "x": "ycsd",
    "y": "xas", "z": "tuhg", "ä": "öüa", "ö": "äüo", "ü": "öpu", "ß": "s",
}  # fmt: skip
_DIGITS = {"0": "986", "1": "274", "2": "137", "3": "248", "4": "157", "5": "468", "6": "579", "7": "481", "8": "793",
           "9": "806"}  # fmt: skip
_SEEN = (("m", "rn"), ("rn", "m"), ("l", "i"), ("i", "l"), ("h", "b"), ("cl", "d"), ("d", "cl"), ("u", "v"),
         ("e", "c"), ("n", "u"), ("ll", "ü"), ("w", "vv"), ("o", "0"), ("s", "5"))  # fmt: skip
_HEARD = (
    *(("ei", "ai"), ("ai", "ay"), ("eu", "oi"), ("ph", "f"), ("f", "ph"), ("th", "t"), ("t", "th"), ("ck", "k")),
    *(("k", "ck"), ("c", "k"), ("k", "c"), ("ie", "i"), ("i", "ie"), ("y", "i"), ("i", "y"), ("v", "f"), ("w", "v")),
    *(("z", "tz"), ("tz", "z"), ("s", "ss"), ("ss", "s"), ("ß", "s"), ("sch", "sh"), ("sh", "sch"), ("ch", "kh")),
    *(("tt", "t"), ("nn", "n"), ("n", "nn"), ("mm", "m"), ("ll", "l"), ("l", "ll"), ("dt", "tt"), ("ea", "ee")),
    *(("er", "or"), ("e", "a"), ("a", "e"), ("o", "u"), ("u", "o"), ("ou", "u"), ("q", "k"), ("j", "y"), ("h", "")),
    *(("eh", "e"), ("ah", "aa"), ("ski", "sky"), ("owicz", "owitz"), ("cz", "tsch"), ("oğlu", "oglou"), ("son", "sen")),
)
_NICKS = (
    "Hans Hannes Hansi|Peter Pete|Wolfgang Wolf|Günter Günther Gunter|Helmut Helmuth|Manfred Manni Fred|Karl Carl|"
    "Walter Walther|Thomas Tom Tommy|Michael Mike Michi Micha Mick|Andreas Andi Andy|Stefan Stephan Steffen|"
    "Christian Chris Christoph|Matthias Mathias Matze|Alexander Alex Sascha|Daniel Dan Danny|Sebastian Basti Bastian|"
    "Maximilian Max Maxi|Friedrich Fritz Frieder|Wilhelm Willi Willy|Johannes Hannes Johann Jo|"
    "Josef Joseph Sepp Beppo|"
    "Franz Franzl|Ludwig Lutz Wiggerl|Georg Schorsch Jörg|Rudolf Rudi Rolf|Heinz Heiner|Tobias Tobi|Philipp Philip|"
    "Elisabeth Lisa Elli Liesl Else|Maria Mia Marie Mitzi|Katharina Kathi Käthe Katrin|Margarete Grete Gretel Margret|"
    "Gabriele Gabi|Susanne Susi Sanne|Brigitte Gitte Biggi|Christa Christl|Stefanie Steffi Stephanie|"
    "Ursula Uschi Ulla|"
    "Johanna Hanna Hanne|Barbara Babs Bärbel|Franziska Franzi|Magdalena Lena Magda|Charlotte Lotte|Theresa Resi Tessa|"
    "Angelika Geli Angi|Hildegard Hilde|Rosemarie Rosi|Lieselotte Lilo Lotte|Sophie Sofie|Hannah Hanna|Sarah Sara|"
    "William Bill Will Billy|Robert Bob Rob Bobby|Richard Dick Rick|James Jim Jimmy|John Jack Johnny|Joseph Joe|"
    "Edward Ted Ed Eddie|Charles Charlie Chuck|Christopher Chris|Anthony Tony|Matthew Matt|Stephen Steve Steven|"
    "Andrew Andy Drew|Kenneth Ken|Ronald Ron|Samuel Sam|Benjamin Ben|Joshua Josh|Patrick Pat Paddy|Henry Harry|"
    "Elizabeth Liz Beth Betty Lizzie|Margaret Maggie Peggy Meg|Patricia Pat Trish|Catherine Kate Cathy Katherine|"
    "Deborah Debbie|Jennifer Jenny Jen|Susan Sue|Rebecca Becky|Victoria Vicky|Dorothy Dot Dolly|Barbara Barb|"
    "Mehmet Mehmed Muhammed|Mohammed Mohamed Muhammad Mohammad Mohamad|Ahmet Ahmed|Ahmad Ahmed Achmed|Hüseyin Hussein|"
    "Youssef Yusuf Yousef Jusuf|Omar Omer Umar|Hassan Hasan|Khaled Khalid Chaled|Mahmoud Mahmud Mahmut|Tarek Tariq|"
    "Ibrahim Ibraheem|Fatima Fatma Fatimah|Aisha Aischa Ayesha|Mariam Maryam Meryem|Khadija Khadijah Chadidscha|"
    "Krzysztof Krzyś Krystof Christoph|Małgorzata Gosia|Katarzyna Kasia|Aleksandra Ola|Wojciech Wojtek|Jan Janek|"
    "Francisco Paco Pancho|José Pepe|José Antonio José|Juan Carlos Juan|María Carmen Carmen|María Dolores Lola|"
    "Manuel Manolo|Concepción Concha|Jesús Chus|Rosa Rosita|Dolores Lola|María Pilar Pilar|Isabel Isa"
)
_SURNAMES = (
    "Lee Yi Rhee Li|Park Pak Bak|Choi Choe|Jung Jeong Chung|Kang Gang|Cho Jo|Yoon Yun|Lim Im|Shin Sin|Yoo Yu|Noh Roh|"
    "Wang Wong|Zhang Chang|Zhou Chou|Xu Hsu|Zhu Chu|Huang Hwang|Chen Chan|Liu Lau|Lin Lam|Xie Hsieh|Cai Tsai|"
    "Zheng Cheng|Mohamed Mohammed|Hussein Hussain|Yousef Youssef|Müller Mueller Muller|Meyer Meier Maier Mayer|"
    "Schmidt Schmitt Schmid|Hoffmann Hofmann|Schäfer Schaefer Schaffer|Weiß Weiss|Groß Gross|Kühn Kuehn|"
    "Schröder Schroeder|"
    "Al-Sayed Elsayed|El-Masry Elmasri Al-Masri|McDonald MacDonald|Wiśniewski Wisniewska|Kowalski Kowalska|"
    "Kamiński Kaminska|Zając Zajac"
)
_MARKS = {"ß": "ss", "ø": "o", "ł": "l", "ı": "i", "đ": "d", "æ": "ae", "Ø": "O", "Ł": "L", "İ": "I"}
_GERMAN = {"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss", "Ä": "Ae", "Ö": "Oe", "Ü": "Ue"}


def strip_marks(text: pl.Expr) -> pl.Expr:
    """Letters without their marks: Muller for Müller."""
    bare = text.str.replace_many(list(_MARKS), list(_MARKS.values()))
    return bare.str.normalize("NFKD").str.replace_all(r"\p{M}", "")


def transliterate(text: pl.Expr) -> pl.Expr:
    """The German way, ue for ü; other marks fall away."""
    return strip_marks(text.str.replace_many(list(_GERMAN), list(_GERMAN.values())))


def other_given(texts: pl.Series, draws: Draws) -> pl.Series:
    """Another form of a given name, where one is known; a short form just as well stands for the long one."""
    return _swapped_form(texts, draws, _NICKS)


def other_family(texts: pl.Series, draws: Draws) -> pl.Series:
    """Another romanisation or spelling of a family name, where one is known."""
    return _swapped_form(texts, draws, _SURNAMES)


@lru_cache(maxsize=2)
def _forms(groups: str) -> dict[str, list[str]]:
    forms: dict[str, list[str]] = {}
    for group in groups.split("|"):
        names = [name for name in group.split(" ") if name]
        for name in names:
            forms.setdefault(name, []).extend(other for other in names if other != name)
    return forms


def given_forms(name: str) -> list[str]:
    """Other forms of a given name that records may show instead of it."""
    return _forms(_NICKS).get(name, [])


def _swapped_form(texts: pl.Series, draws: Draws, groups: str) -> pl.Series:
    forms = _forms(groups)
    table = pl.DataFrame({"text": list(forms), "others": list(forms.values())})
    frame = pl.DataFrame({"text": texts, "u": draws.share("form")}).join(
        table, on="text", how="left", maintain_order="left"
    )
    pick = (pl.col("u") * pl.col("others").list.len()).floor().cast(pl.Int64)
    return frame.select(pl.coalesce(pl.col("others").list.get(pick, null_on_oob=True), "text").alias("text"))["text"]


def slip(texts: pl.Series, draws: Draws) -> pl.Series:
    """One mistake in each text: a neighbouring key, a letter left out, doubled, too much, two in the wrong order, a
    letter misread, or a word written as it is heard."""
    kind = draws.kind("kind", (0.2, 0.15, 0.08, 0.08, 0.15, 0.09, 0.25))
    length = texts.str.len_chars().fill_null(0).to_numpy().astype(np.int64)
    # the first letter is seldom wrong
    at = np.where(draws.happens("first", 0.08), 0, 1 + draws.below("at", np.maximum(length - 1, 1)))
    at = np.minimum(at, np.maximum(length - 1 - (kind == 4), 0))
    frame = pl.DataFrame(
        {"text": texts, "kind": kind, "at": at, "key": draws.below("key", 60), "rule": draws.below("rule", len(_HEARD)),
         "seen": draws.below("seen", len(_SEEN))}
    )  # fmt: skip
    head, letter = pl.col("text").str.slice(0, pl.col("at")), pl.col("text").str.slice(pl.col("at"), 1)
    tail, after = pl.col("text").str.slice(pl.col("at") + 1), pl.col("text").str.slice(pl.col("at") + 1, 1)
    near = letter.str.to_lowercase().replace_strict(_KEYS, default="e", return_dtype=pl.String)
    near = near.str.slice(pl.col("key") % near.str.len_chars(), 1)
    near = pl.when(pl.col("at") == 0).then(near.str.to_uppercase()).otherwise(near)
    kinds = (
        head + near + tail,
        head + tail,
        head + letter + letter.str.to_lowercase() + tail,
        head + letter + near.str.to_lowercase() + tail,
        head + after + letter + pl.col("text").str.slice(pl.col("at") + 2),
        _rewritten("seen", _SEEN),
        _rewritten("rule", _HEARD),
    )
    chosen = pl.lit(None, dtype=pl.String)
    for number, expression in enumerate(kinds):
        chosen = pl.when(pl.col("kind") == number).then(expression).otherwise(chosen)
    return frame.select(chosen.alias("text"))["text"]


def _rewritten(column: str, rules: tuple[tuple[str, str], ...]) -> pl.Expr:
    """The first of three rules in a row that applies, from the rule drawn on."""
    expression = pl.col("text")
    for number, (old, new) in enumerate(rules):
        hit = (pl.col(column) - number + len(rules)) % len(rules) < 3
        applies = hit & pl.col("text").str.contains(old, literal=True)
        expression = pl.when(applies).then(pl.col("text").str.replace(old, new, literal=True)).otherwise(expression)
    return expression


def digit_slip(texts: pl.Series, draws: Draws) -> pl.Series:
    """One mistake in each number: a wrong digit, two in the wrong order, one left out or doubled."""
    length = texts.str.len_chars().fill_null(0).to_numpy().astype(np.int64)
    kind = draws.kind("kind", (0.5, 0.3, 0.12, 0.08))
    at = np.minimum(draws.below("at", np.maximum(length, 1)), np.maximum(length - 1 - (kind == 1), 0))
    frame = pl.DataFrame({"text": texts, "kind": kind, "at": at, "key": draws.below("key", 3)})
    head, digit = pl.col("text").str.slice(0, pl.col("at")), pl.col("text").str.slice(pl.col("at"), 1)
    tail, after = pl.col("text").str.slice(pl.col("at") + 1), pl.col("text").str.slice(pl.col("at") + 1, 1)
    near = digit.replace_strict(_DIGITS, default="000", return_dtype=pl.String).str.slice(pl.col("key"), 1)
    return frame.select(
        pl.when(pl.col("kind") == 0).then(head + near + tail)
        .when(pl.col("kind") == 1).then(head + after + digit + pl.col("text").str.slice(pl.col("at") + 2))
        .when(pl.col("kind") == 2).then(head + tail)
        .otherwise(head + digit + digit + tail).alias("text")
    )["text"]  # fmt: skip


def wrong_date(texts: pl.Series, draws: Draws) -> pl.Series:
    """One mistake in each date (YYYYMMDD): a wrong digit anywhere, day and month in each other's place, two digits in
    the wrong order, the year alone, a year or a day next to it, another decade, the year of the examination."""
    kind = draws.kind("kind", (0.32, 0.13, 0.13, 0.12, 0.1, 0.1, 0.06, 0.04))
    frame = pl.DataFrame(
        {"text": texts, "kind": kind, "at": draws.below("at", 8), "key": draws.below("key", 10),
         "sign": 1 - 2 * draws.below("sign", 2), "late": draws.below("late", 22) + 2004}
    )  # fmt: skip
    text, at = pl.col("text"), pl.col("at")
    year, month, day = text.str.slice(0, 4), text.str.slice(4, 2), text.str.slice(6, 2)
    whole = text.str.to_date("%Y%m%d", strict=False)
    digit = pl.col("key").cast(pl.String)
    turned = text.str.slice(0, at) + text.str.slice(at + 1, 1) + text.str.slice(at, 1) + text.str.slice(at + 2)
    kinds = (
        text.str.slice(0, at.clip(2)) + digit + text.str.slice(at.clip(2) + 1),
        pl.when(day <= "12").then(year + day + month).otherwise(turned),
        turned,
        year + "0101",
        (year.cast(pl.Int64) + pl.col("sign")).cast(pl.String) + month + day,
        whole.dt.offset_by(pl.format("{}d", pl.col("sign"))).dt.strftime("%Y%m%d"),
        (year.cast(pl.Int64) - 10 * pl.col("sign")).cast(pl.String) + month + day,
        pl.col("late").cast(pl.String) + month + day,
    )
    chosen = pl.lit(None, dtype=pl.String)
    for number, expression in enumerate(kinds):
        chosen = pl.when(pl.col("kind") == number).then(expression).otherwise(chosen)
    wrong = frame.select("text", chosen.alias("wrong"))
    # registration desks refuse days that aren't in the calendar
    real = pl.col("wrong").str.to_date("%Y%m%d", strict=False).is_not_null()
    return wrong.select(pl.when(real).then("wrong").otherwise("text").alias("text"))["text"]
