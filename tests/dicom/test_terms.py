"""The standard's terms as tables."""

from __future__ import annotations

from fonds.dicom import terms


def test_modalities_are_current_or_retired_never_both() -> None:
    assert {"CT", "MR", "US", "KO", "SM", "SEG", "RTSTRUCT"} <= set(terms.MODALITIES)
    assert not set(terms.MODALITIES) & set(terms.RETIRED_MODALITIES)
    assert {new for new in terms.RETIRED_MODALITIES.values() if new} <= set(terms.MODALITIES)
    assert terms.RETIRED_MODALITIES["DF"] == "RF"
    assert len(terms.MODALITIES) == len(set(terms.MODALITIES))


def test_transfer_syntaxes_include_the_retired_ones() -> None:
    found = {syntax.uid: syntax for syntax in terms.transfer_syntaxes()}
    assert found["1.2.840.10008.1.2.2"].retired
    assert not found["1.2.840.10008.1.2.1"].retired
    assert "2.16.840.1.113709.1.2.2" not in found


def test_body_parts_know_which_come_in_pairs() -> None:
    found = {part.term: part for part in terms.body_parts()}
    assert found["KNEE"].paired
    assert not found["CHEST"].paired
    assert found["ABDOMEN"].code == "818981001"
