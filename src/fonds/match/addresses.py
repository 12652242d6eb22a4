"""Addresses, telephones and numbers of state as they are compared: spellings and abbreviations made one."""

from __future__ import annotations

from collections.abc import Callable

import polars as pl

from fonds.match import names

COLUMNS = ("phone", "street", "postcode", "city", "mother", "national_id")
# Country codes by their first digits: of one, two or three digits (ITU-T E.164, list of assigned codes).
_COUNTRY = r"^(?:\+|00)\s*(?:1|7|2[07]|3[0-469]|4[013-9]|5[1-8]|6[0-6]|8[1246]|9[0-58]|[2-9]\d\d)"
Make = Callable[[pl.Series, names.Folder], pl.Series]
_SAINTS = {" ST ": " SANKT ", " SAINT ": " SANKT ", " STE ": " SANKT ", " SAINTE ": " SANKT "}


def addresses(found: pl.DataFrame, folder: names.Folder) -> pl.DataFrame:
    """The columns COLUMNS of records, comparable, in their order; what says nothing is NULL.

    phone: digits without country code and trunk zero. street: words in capitals, abbreviations in full, run together;
    then the house number. postcode: letters and digits, without a country's letters before or four digits behind a
    dash. city: words run together. mother: key of the family name. national_id: letters and digits.
    """
    made = [_distinct(found, column, _MADE[column], folder) for column in COLUMNS]
    return pl.DataFrame(made)


def _distinct(found: pl.DataFrame, column: str, make: Make, folder: names.Folder) -> pl.Series:
    values = found[column].cast(pl.String)
    known = values.drop_nulls().unique().sort()
    if known.is_empty():
        return values
    made = pl.DataFrame({column: known, "made": make(known, folder)})
    return values.to_frame().join(made, on=column, how="left", maintain_order="left")["made"].alias(column)


def _none(column: str) -> pl.Expr:
    return pl.when(pl.col(column) != "").then(pl.col(column))


def _phone(values: pl.Series, _: names.Folder) -> pl.Series:
    text = pl.col("v").str.replace_all("(0)", "", literal=True).str.strip_chars()
    national = text.str.replace(_COUNTRY, "").str.replace_all(r"\D", "").str.strip_chars_start("0")
    # fewer digits are an extension, one digit throughout a placeholder
    same = national.str.contains(f"^(?:{'|'.join(f'{digit}+' for digit in range(1, 10))})$")
    counted = national.is_in(["123456", "1234567", "12345678", "123456789", "1234567890"])
    said = pl.when((national.str.len_chars() >= 5) & ~same & ~counted).then(national)
    return values.alias("v").to_frame().select(said).to_series()


def _street(values: pl.Series, folder: names.Folder) -> pl.Series:
    streets = folder.table.streets
    words = _words(values)
    full = {" SAINT ": " SANKT ", " SAINTE ": " SANKT "}
    full |= {f" {word} ": f" {line.split()[0]} " for line in streets for word in line.split()[1:]}
    # blanks doubled, so that two words in a row are both found
    text = words.str.replace_all(" ", "  ", literal=True).str.replace(r"^( +(?:\d+\w* +)?)(?:ST|STE) ", "${1}SANKT ")
    text = text.str.replace_many(list(full), list(full.values()))
    if streets:
        first, *short = streets[0].split()
        ends = "|".join(word for word in short if len(word) > 2)
        text = text.str.replace_all(rf"([A-Z])(?:{ends}) ", f"${{1}}{first} ")
    text = text.str.replace_all(r" +", " ").str.replace_all(r"(\d) ([A-Z]) ", "${1}${2} ")
    numbers = text.str.extract_all(r"[A-Z]*\d\w*").list.join(" ")
    name = text.str.replace_all(r"[A-Z]*\d\w*", "").str.replace_all(" ", "", literal=True)
    joined = (name + " " + numbers).str.strip_chars().alias("v")
    return joined.to_frame().select(_none("v")).to_series()


def _postcode(values: pl.Series, _: names.Folder) -> pl.Series:
    text = names.capitals(values).str.strip_chars().str.replace(r"^[A-Z]{1,3}[- ](\d)", "${1}")
    text = text.str.replace(r"^(\d{5})-\d{4}$", "${1}").str.replace_all(r"[^A-Z0-9]", "").alias("v")
    return text.to_frame().select(pl.when(~pl.col("v").str.contains("^0*$|^9+$")).then(pl.col("v"))).to_series()


def _city(values: pl.Series, _: names.Folder) -> pl.Series:
    text = _words(values.str.replace_all(r"\(.*?\)|\d", " "))
    text = text.str.replace_many(list(_SAINTS), list(_SAINTS.values()))
    joined = _keyed(text.str.replace_all(" ", "", literal=True)).alias("v")
    return joined.to_frame().select(_none("v")).to_series()


def _mother(values: pl.Series, folder: names.Folder) -> pl.Series:
    family = values.str.split("^").list.first()
    keys = {value: folder.family(value)["family"] for value in family.unique().to_list()}
    return family.replace_strict(keys, return_dtype=pl.String)


def _national(values: pl.Series, _: names.Folder) -> pl.Series:
    plain = names.capitals(values).str.replace_all(r"[^A-Z0-9]", "").alias("v")
    return (
        plain.to_frame().select(pl.when(~pl.col("v").str.contains("^0*$|^1+$|^9+$|^X+$")).then(pl.col("v"))).to_series()
    )


def _words(values: pl.Series) -> pl.Series:
    """Words in capitals with one blank before, between and behind."""
    plain = names.capitals(values).str.replace_all("'", "", literal=True)
    return " " + plain.str.replace_all(r"[^A-Z0-9]+", " ").str.strip_chars() + " "


def _keyed(values: pl.Series) -> pl.Series:
    for long, short in names.SAME:
        values = values.str.replace_all(long, short, literal=True)
    return values


_MADE = {"phone": _phone, "street": _street, "postcode": _postcode, "city": _city, "mother": _mother,
         "national_id": _national}  # fmt: skip
