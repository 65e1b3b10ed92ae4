"""Files of configurations: what is read of them, what is refused and where, and what the commands say."""

from io import BytesIO, StringIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from django.core.management import CommandError, call_command
from hypothesis import given
from hypothesis import strategies as st

from tests.acceptance.scenario import a_trigger
from tests.probe.models import RecordEffectAction
from tests.variety.models import SecretAction
from triggers.models import ActionCountCondition, Trigger
from triggers_api.configuration.files import FileRefused, as_json, as_yaml, read

texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts
values = st.recursive(scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4))


@given(document=st.dictionaries(texts, values, max_size=4))
def test_what_is_written_is_read_as_it_was(document: Any) -> None:
    assert read(as_yaml(document).encode())[0] == document
    assert read(as_json(document).encode())[0] == document


def test_of_yaml_only_what_json_has_is_more_than_a_text() -> None:
    text = "a: [yes, on, 2026-01-31, 12:30:00, 0o7, 1_000, null, ~, true, False, 1, -1.5, 1e3, '1', !!str 1]"
    assert read(text.encode())[0] == {
        "a": ["yes", "on", "2026-01-31", "12:30:00", "0o7", "1_000", None, None, True, False, 1, -1.5, 1000.0, "1", "1"]
    }


@pytest.mark.parametrize("text", ["yes", "no", "null", "1", "1e3", "0x1F", "2026-01-31", "a: b", "- a", " a", "#", ""])
def test_texts_are_written_so_that_other_readers_take_them_for_texts_too(text: str) -> None:
    assert yaml.safe_load(as_yaml({"a": text})) == {"a": text}


def test_texts_of_several_lines_are_written_as_such() -> None:
    assert as_yaml({"message": "Hello\n\n{{ name }}\n"}) == "message: |\n  Hello\n\n  {{ name }}\n"


LAUGHS = "a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n"
REFUSED = {
    "a: [": "The file is not YAML: expected the node content, but found '<stream end>', line 1, column 5.",
    "a: 1\na: 2\n": "The mapping has the key “a” 2 times.",
    "a:\n- b: 1\n  b: 2\n": "line 2, column 3: The mapping has the key “b” 2 times.",
    LAUGHS: "At /b/0 is an alias: write out what it stands for.",
    "a: &a [*a]": "At /a/0 is an alias: write out what it stands for.",
    "a: *b": "The file is not YAML: found undefined alias 'b', line 1, column 4.",
    "a: !!python/object:os.system {}": "line 1, column 4: The tag "
    "tag:yaml.org,2002:python/object:os.system is not taken: write plain YAML.",
    "a: !secret x": "line 1, column 4: The tag !secret is not taken: write plain YAML.",
    "1: a": "A key of the mapping is no text: write it in quotes.",
    "? [a]\n: b": "A key of the mapping is no text: write it in quotes.",
    "a: .inf": "line 1, column 4: The number is not finite or is too large.",
    "a: 1e999": "line 1, column 4: The number is not finite or is too large.",
    f"a: {'9' * 5000}": "line 1, column 4: The number has too many digits.",
    'a: "\\0"': "line 1, column 4: The text holds the character U+0000.",
    "a: \0": "The file is not YAML: unacceptable character #x0000: special characters are not allowed   in "
    '"<unicode string>", position 3.',
    "[]": "The file is no mapping of sections.",
    "": "The file is no mapping of sections.",
    "a: 1\n---\nb: 2\n": "The file is not YAML: but found another document, line 2, column 1.",
    '{"a": 1,}': "The body is not JSON: Expecting property name enclosed in double quotes: line 1 column 9 (char 8).",
    '{"a": 1, "a": 2}': 'An object in the body has the key "a" 2 times.',
    "a: " + "[" * 40 + "]" * 40: "line 1, column 35: The body is nested deeper than 32 levels.",
    "a: " + "[" * 100_000: "The body is nested deeper than 32 levels.",
}


@pytest.mark.parametrize("text", REFUSED, ids=range(len(REFUSED)))
def test_what_no_document_has_is_refused_at_its_place(text: str) -> None:
    with pytest.raises(FileRefused) as refusal:
        read(text.encode())
    assert str(refusal.value) == REFUSED[text]


def test_what_is_not_utf8_is_refused() -> None:
    with pytest.raises(FileRefused, match=r"^The file is not UTF-8: byte 3.$"):
        read(b"a: \xff")


def run(command: str, *arguments: str) -> str:
    printed = StringIO()
    call_command(command, *arguments, stdout=printed)
    return printed.getvalue()


@pytest.fixture
def trigger(db: None) -> Trigger:
    return a_trigger(
        RecordEffectAction(), SecretAction(secret="first"), name="Record", conditions=[ActionCountCondition(limit=1)]
    )


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_what_the_one_command_writes_the_other_takes(trigger: Trigger, options: list[str], tmp_path: Path) -> None:
    file = tmp_path / "triggers"
    file.write_text(run("triggers_export", *options))
    assert run("triggers_apply", str(file), "--prune") == "Nothing differs: nothing to change.\n"

    file.write_text(file.read_text().replace("Record\n", "Renamed\n").replace('"Record"', '"Renamed"'))
    with pytest.raises(CommandError, match=r"actions/1/secret: This field is required. \(required\)$"):
        run("triggers_apply", str(file))
    assert Trigger.objects.get().name == "Record"


def test_a_plan_shows_what_differs_and_deletes_nothing(trigger: Trigger, tmp_path: Path) -> None:
    file = tmp_path / "triggers.yaml"
    text = run("triggers_export").replace("limit: 1", "limit: 2").replace("manner: plain", "secret: second")
    file.write_text(text + "- type: triggers.Trigger\n  name: New\n")
    Trigger.objects.create(name="Old")
    planned = """\
~ triggers: Record
    @@ -9,5 +9,5 @@
     conditions:
     - type: triggers.ActionCountCondition
    -  limit: 1
    +  limit: 2
     actions:
     - type: probe.RecordEffectAction
    /actions/1/secret is set; it is never shown.
+ triggers: New
    +type: triggers.Trigger
    +name: New
    +description: ''
    +is_enabled: false
    +engine: ''
    +events: []
    +conditions: []
    +actions: []
"""
    assert run("triggers_apply", str(file), "--plan") == (
        f"{planned}  triggers: Old is not in the file and stays as it is; --prune deletes it.\n"
        "1 would be added, 1 would be changed.\n"
    )
    assert (Trigger.objects.count(), SecretAction.objects.get().secret) == (2, "first")
    assert run("triggers_apply", str(file), "--prune") == f"{planned}- triggers: Old\n1 added, 1 changed, 1 deleted.\n"
    assert set(Trigger.objects.values_list("name", flat=True)) == {"Record", "New"}
    assert SecretAction.objects.get().secret == "second"


def test_errors_name_the_line_the_trigger_and_the_pointer(trigger: Trigger, tmp_path: Path) -> None:
    file = tmp_path / "triggers.yaml"
    file.write_text(
        "triggers:\n"
        "- type: triggers.Trigger\n  name: New\n  conditions:\n  - type: triggers.ActionCountCondition\n    limit: -1\n"
        "- type: triggers.Trigger\n  name: Other\n  actions:\n  - type: variety.SecretAction\n"
        "- type: triggers.Trigger\n"
    )
    with pytest.raises(CommandError) as refusal:
        run("triggers_apply", str(file))
    assert str(refusal.value).splitlines() == [
        f"{file}:6:12: “New” /triggers/0/conditions/0/limit: "
        "Ensure this value is greater than or equal to 1. (min_value)",
        f"{file}:10:5: “Other” /triggers/1/actions/0/secret: This field is required. (required)",
        f"{file}:11:3: /triggers/2/name: This field is required. (required)",
    ]
    assert Trigger.objects.get() == trigger


def test_a_refusal_of_a_whole_trigger_names_its_place(trigger: Trigger, tmp_path: Path) -> None:
    file = tmp_path / "triggers.json"
    file.write_text('{\n\t"triggers": [\n\t\t{"type": "triggers.Trigger", "name": "Record"}\n\t]\n}\n')
    with pytest.raises(CommandError) as refusal:
        run("triggers_apply", str(file))
    assert str(refusal.value) == (
        f"{file}:3:3: “Record” /triggers/0: The trigger “Record” cannot be enabled as long as it has no event and no "
        "action. Add an event and an action. (trigger_incomplete)"
    )


def test_files_that_cannot_be_read_are_refused(db: None, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=r"none\.yaml: No such file or directory$"):
        run("triggers_apply", str(tmp_path / "none.yaml"))
    file = tmp_path / "triggers.yaml"
    file.write_text("triggers: [")
    with pytest.raises(CommandError, match=r"triggers\.yaml: The file is not YAML: .*, line 1, column 12.$"):
        run("triggers_apply", str(file))


def test_a_hyphen_is_the_standard_input(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=BytesIO(b"triggers: []")))
    assert run("triggers_apply", "-") == "Nothing differs: nothing to change.\n"
