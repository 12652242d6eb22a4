"""`match` killed behind each of its writes and run again: the tables of an undisturbed run, and no event told twice."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import polars as pl

from fonds.catalog.store import Catalog
from fonds.match import match
from fonds.operations import decisions
from fonds.project.settings import Project, load
from tests.handmade import make_project, write
from tests.match.people import crowd, people, person

# Runs the stage again and again in forks of a process that has imported all and done nothing yet: each is killed one
# write later (the persons in the operations store, a table, a file put in place), until one comes to its end.
KILLER = """
import os, signal, sys
from pathlib import Path
from fonds.catalog.store import Catalog
from fonds.match import match, tables
from fonds.project.settings import load

def run(last):
    done = 0
    def counted(owner, name):
        real = getattr(owner, name)
        def write(*args, **kwargs):
            nonlocal done
            result = real(*args, **kwargs)
            done += 1
            if done == last:
                os.kill(os.getpid(), signal.SIGKILL)
            return result
        setattr(owner, name, write)
    counted(tables, "allocate")
    counted(Catalog, "commit")
    counted(Catalog, "replace")
    counted(os, "replace")
    match(load(Path(sys.argv[1])))

last = 0
while True:
    last += 1
    child = os.fork()
    if not child:
        run(last)
        os._exit(0)
    if (status := os.waitpid(child, 0)[1]) != signal.SIGKILL:
        break
print(last - 1, status)
"""


def tables(project: Project) -> dict[str, pl.DataFrame]:
    names = ("match_records", "pairs", "persons", "person_events")
    return {name: Catalog(project).read(name).drop("run", strict=False) for name in names}


def test_killed_behind_any_write_a_run_ends_as_an_undisturbed_one(tmp_path: Path) -> None:
    (tmp_path / "calm").mkdir()
    calm = make_project(tmp_path / "calm", "rad", "card", "onk")
    doubt = [person("rad", "A1", "Weidinger^Ursula", "19610409"), person("card", "B1", "EICHINGER^URSULA", "19610409")]
    write(calm, "instances", crowd() + doubt)
    match(calm)
    ids = dict(people(calm).select("id", "record_id").rows())
    decisions.record(calm, "pair", ids["A1"], ids["B1"], verdict="link", who="ann")
    write(calm, "instances", [*crowd()[1:], *doubt, person("onk", "O1", "Lehmann^Otto", "19410823")])
    shutil.copytree(calm.root, tmp_path / "killed")
    killed = load(tmp_path / "killed")

    told = match(calm).counts
    assert (told["fresh"], told["persons merged"], told["persons joined"]) == (1, 1, 1)
    done = subprocess.run(
        [sys.executable, "-c", KILLER, str(killed.root)], capture_output=True, text=True, check=True, timeout=120
    )
    kills, status = map(int, done.stdout.split())
    assert status == 0, done.stderr
    assert kills >= 6
    expected = tables(calm)
    for name, frame in tables(killed).items():
        assert frame.equals(expected[name]), name
    assert expected["person_events"]["event_id"].is_unique().all()
