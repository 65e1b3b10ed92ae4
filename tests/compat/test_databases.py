"""Databases that dj-triggers made are taken as they are: nothing is lost, and triggers fire as before."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tests.compat.conftest import Project
from tests.compat.databases import Database, Row
from tests.docs.blocks import blocks

#: The migrations that stand in for a dj-triggers which is not installed, and those of the app that used it.
RELEASED = {"OLD_MIGRATIONS": "released_migrations"}
SOURCE = {"OLD_MIGRATIONS": "source_migrations", "TODO_MIGRATIONS": "todo.source_migrations"}

#: What ``manage.py complete`` says on the rows of ``manage.py fill``, whichever version runs it.
AS_BEFORE: dict[str, list[list[Any]]] = {
    "messages": [
        ["ada", "Well done"],
        ["ada", "Completed"],
        ["ada", "Completed"],
        ["bob", "Completed"],
        ["bob", "Completed"],
        ["cyd", "Completed"],
        ["cyd", "Completed"],
        ["dan", "Completed"],
        ["dan", "Completed"],
        ["eve", "Completed"],
        ["eve", "Completed"],
    ],
    "counts": [
        ["each time", "ada", 2],
        ["each time", "bob", 42],
        ["each time", "cyd", 2],
        ["each time", "dan", 2],
        ["each time", "eve", 2],
        ["praise", "ada", 2],
        ["praise", "dan", 2],
        ["praise", "eve", 1],
    ],
}


#: Nothing is left to migrate, to record or to make migrations for.
UP_TO_DATE = (
    "makemigrations --check --dry-run",
    "migrate --check",
    "check --database default --fail-level ERROR",
    "showmigrations",
)


#: The way back, and the look before it, as docs/upgrade.md has them.
GO_BACK = blocks("docs/upgrade.md", "console")[1].body.strip().removeprefix("python manage.py ")
(LOOK,) = (f"shell --verbosity 0 --command {shlex.quote(block.body)}" for block in blocks("docs/upgrade.md", "python"))


def fill(project: Project) -> dict[str, list[Row]]:
    """Make the database and its rows, and return those."""
    project.manage("migrate --verbosity 0", "fill")
    return project.database.rows()


def upgrade(project: Project) -> None:
    shown = project.manage("migrate", *UP_TO_DATE)
    assert "[ ]" not in shown
    assert "[-]" not in shown


def assert_nothing_is_lost(before: dict[str, list[Row]], database: Database) -> None:
    """Every table and row is still there, with the same values in the same columns."""
    after = database.rows()
    for table, rows in before.items():
        kept = [{column: row[column] for column in rows[0]} for row in after[table]] if rows else []
        if table.startswith(("triggers_", "todo_", "auth_user")):
            assert kept == rows, table
        else:  # Django's own: new models have their content types, permissions and migrations
            assert [row for row in rows if row not in kept] == [], table


def completed(project: Project) -> Any:
    return json.loads(project.manage("complete"))


@pytest.fixture
def fresh(new_database: Callable[[], Database]) -> Project:
    """The project on this version, its database made by nothing else."""
    project = Project(sys.executable, new_database())
    upgrade(project)
    return project


def test_an_empty_database_gets_all_tables(fresh: Project) -> None:
    assert set(fresh.database.schema(names=False)) >= {"triggers_run", "triggers_activity", "todo_sendmessageaction"}


def test_a_database_of_the_release_is_upgraded_in_place(project: Project, fresh: Project) -> None:
    before = fill(replace(project, env=RELEASED))
    assert len(before["triggers_action"]) == 3

    upgrade(project)
    assert_nothing_is_lost(before, project.database)
    assert project.database.schema(names=True) == fresh.database.schema(names=True)
    assert completed(project) == AS_BEFORE


def test_a_database_of_the_later_source_is_upgraded_in_place(project: Project, fresh: Project) -> None:
    before = fill(replace(project, env=SOURCE))
    recorded = [row["name"] for row in before["django_migrations"] if row["app"] == "triggers"]
    assert recorded[-1] == "0006_remove_action_trigger_old"
    assert len(recorded) == 6

    project = replace(project, env={"TODO_MIGRATIONS": SOURCE["TODO_MIGRATIONS"]})
    upgrade(project)
    assert_nothing_is_lost(before, project.database)
    # That source renamed a column, so the index on it is called otherwise.
    assert project.database.schema(names=False) == fresh.database.schema(names=False)
    assert completed(project) == AS_BEFORE


def test_a_database_in_between_is_refused_and_left_alone(project: Project) -> None:
    replace(project, env=SOURCE).manage("migrate triggers 0005_alter_action_triggers --verbosity 0")
    before = project.database.rows()
    refusal = project.try_to_manage("migrate")
    assert refusal.returncode != 0
    assert "Conflicting migrations" in refusal.stderr
    assert project.database.rows() == before


def test_the_way_back_leads_to_the_tables_of_the_release(project: Project) -> None:
    old = replace(project, env=RELEASED)
    before = fill(old)
    schema = project.database.schema(names=False)
    project.manage("migrate --verbosity 0", "complete")
    assert project.manage(LOOK).count("[]") == 2
    project.manage(GO_BACK)

    assert project.database.schema(names=False) == schema
    after = project.database.rows()
    for table in (
        "triggers_trigger",
        "triggers_action",
        "triggers_event",
        "triggers_condition",
        "todo_sendmessageaction",
    ):
        assert after[table] == before[table], table
    assert len(after["todo_message"]) == len(AS_BEFORE["messages"])
    assert "OK" not in old.manage("migrate")


def test_the_way_back_is_barred_by_a_trigger_with_two_actions(project: Project) -> None:
    fill(replace(project, env=RELEASED))
    assert "<Trigger: praise>" in project.manage("migrate --verbosity 0", "add_action praise", LOOK)
    refusal = project.try_to_manage(GO_BACK)
    assert "IntegrityError" in refusal.stderr
    rows = project.database.rows()
    assert len(rows["triggers_action"]) == 4
    # What is forward of that is the way out, too.
    project.manage("migrate")
    assert len(project.database.rows()["triggers_action"]) == 4


@pytest.mark.network
class TestTheReleaseItself:
    """dj-triggers 1.0.1, as the package index has it."""

    def test_its_tables_are_those_that_stand_in_for_it(
        self, released: Project, project: Project, new_database: Callable[[], Database]
    ) -> None:
        released.manage("migrate --verbosity 0")
        stand_in = replace(project, env=RELEASED, database=new_database())
        stand_in.manage("migrate --verbosity 0")
        assert released.database.schema(names=True) == stand_in.database.schema(names=True)

    def test_its_database_is_upgraded_in_place(self, released: Project, project: Project, fresh: Project) -> None:
        before = fill(released)
        upgrade(project)
        assert_nothing_is_lost(before, project.database)
        assert project.database.schema(names=True) == fresh.database.schema(names=True)
        assert completed(project) == AS_BEFORE

    def test_it_did_the_same(self, released: Project) -> None:
        fill(released)
        assert completed(released) == AS_BEFORE

    def test_it_works_again_after_the_way_back(self, released: Project, project: Project) -> None:
        fill(released)
        project.manage("migrate --verbosity 0", GO_BACK)
        released.manage("migrate --check", "makemigrations --check --dry-run")
        assert completed(released) == AS_BEFORE
