"""Errors cross process borders (workers, Prefect): each survives pickling with its attributes."""

from __future__ import annotations

import inspect
import pickle

import pytest

from fonds import errors

MADE = {
    "DefinitionInvalid": ("a.yaml", [(3, "wrong")]),
    "UnreadableHeader": ("truncated_header", 132, "ended inside an element"),
}
KINDS = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, errors.FondsError)]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_errors_survive_pickling(kind: type[errors.FondsError]) -> None:
    error = kind(*MADE.get(kind.__name__, ("what happened",)))
    back = pickle.loads(pickle.dumps(error))
    assert type(back) is kind
    assert str(back) == str(error)
    assert back.__dict__ == error.__dict__
