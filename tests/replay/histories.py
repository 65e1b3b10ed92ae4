"""The saved histories of workflows, by release, and what today's workflows make of them. No Django, no server."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

from triggers import __version__
from triggers.engines.temporal.workflows import ChunkWorkflow, RunWorkflow

FOLDER = Path(__file__).parent / "histories"
#: Where `record` writes. The folders of earlier releases stay as long as runs may be under way that began there.
RELEASE = FOLDER / __version__.partition(".dev")[0]

#: Fields that differ from one worker to another, and that no replay reads.
_OF_MACHINES = ("identity", "workerVersion")

WORKFLOWS: Sequence[type] = (RunWorkflow, ChunkWorkflow)


def saved(folder: Path = FOLDER) -> dict[str, WorkflowHistory]:
    """The histories below the folder by their paths, as in ``2.0.0/plain``."""
    return {
        path.relative_to(folder).with_suffix("").as_posix(): WorkflowHistory.from_json(path.stem, path.read_text())
        for path in sorted(folder.rglob("*.json"))
    }


def save(histories: Mapping[str, WorkflowHistory], folder: Path) -> None:
    """The folder holds these histories and no others."""
    folder.mkdir(parents=True, exist_ok=True)
    for path in folder.glob("*.json"):
        path.unlink()
    for name, history in histories.items():
        text = json.dumps(_scrubbed(json.loads(history.to_json())), indent=1, ensure_ascii=False)
        (folder / f"{name}.json").write_text(f"{text}\n")


def _scrubbed(part: Any) -> Any:
    """Without what names a machine, a process or a checkout of the code."""
    if isinstance(part, list):
        return [_scrubbed(one) for one in part]
    if not isinstance(part, dict):
        return part
    if part.get("kind") == "TASK_QUEUE_KIND_STICKY":
        return {"name": part["normalName"]}
    return {name: _scrubbed(one) for name, one in part.items() if name not in _OF_MACHINES}


def outline(history: WorkflowHistory) -> list[str]:
    """What happened, in order, without the server's bookkeeping of workflow tasks."""
    events = json.loads(history.to_json())["events"]
    types = [event["eventType"].removeprefix("EVENT_TYPE_") for event in events]
    return [type for type in types if not type.startswith("WORKFLOW_TASK_")]


def replay(history: WorkflowHistory, workflows: Sequence[type] = WORKFLOWS) -> str | None:
    """What is wrong if workflows of today go on where this history ends; None if nothing is."""
    replayer = Replayer(
        workflows=workflows,
        # As the worker has it.
        workflow_runner=SandboxedWorkflowRunner(
            restrictions=SandboxRestrictions.default.with_passthrough_modules("triggers")
        ),
    )
    failure = asyncio.run(replayer.replay_workflow(history, raise_on_replay_failure=False)).replay_failure
    return None if failure is None else str(failure)
