"""
Write the OpenAPI documents of the service and of the example project into this folder.

    python -m openapi.export

Fails on whatever drf-spectacular warns of, and on a document that is no valid OpenAPI 3.1.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

FOLDER: Final = Path(__file__).parent
MOUNT: Final = "/api/v1/"
#: The settings of each project. A process has the settings of one.
PROJECTS: Final = {"app": "tests.app.settings", "service": "triggers_api.service.settings"}


def exported(project: str) -> str:
    """The document of the project, as YAML; from a process of its own."""
    with tempfile.TemporaryDirectory() as data:
        done = subprocess.run(
            [sys.executable, "-m", "openapi.export", project],
            env=os.environ | {"DJANGO_SETTINGS_MODULE": PROJECTS[project], "TRIGGERS_DATA": data},
            cwd=FOLDER.parent,
            capture_output=True,
            text=True,
        )
    if done.returncode:
        sys.exit(f"{project}: {done.stderr}")
    return done.stdout


def document_here() -> str:
    """The document of the project whose settings this process has."""
    import django

    django.setup()

    from drf_spectacular.renderers import OpenApiYamlRenderer
    from drf_spectacular.validation import validate_schema

    from triggers_api.schema.document import document, warnings

    made = document(MOUNT)
    if found := warnings():
        sys.exit("\n".join(found))
    validate_schema(made)
    yaml: bytes = OpenApiYamlRenderer().render(made)
    return yaml.decode()


def main() -> None:
    if len(sys.argv) > 1:
        sys.stdout.write(document_here())
        return
    for project in PROJECTS:
        (FOLDER / f"{project}.yaml").write_text(exported(project))


if __name__ == "__main__":
    main()
