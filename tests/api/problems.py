"""What errors look like, whole."""

from http import HTTPStatus
from typing import Any

from django.db.models import Model

from triggers.models import Activity, AudienceChunk, Occurrence, Run, Step, Trigger

#: What RFC 9110 calls them, and Python from 3.13 on.
TITLES = {413: "Content Too Large", 422: "Unprocessable Content"}


def problem(status: int, code: str, detail: str, errors: list[tuple[str, str, str]] | None = None) -> dict[str, Any]:
    """The body of the problem; its errors as pointer, code and detail."""
    return {
        "type": "about:blank",
        "title": TITLES.get(status) or HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "code": code,
        "errors": [
            {"pointer": pointer, "code": error_code, "detail": error_detail}
            for pointer, error_code, error_detail in errors or []
        ],
    }


def invalid(*errors: tuple[str, str, str]) -> dict[str, Any]:
    """The body of the problem that a body with these errors has."""
    return problem(400, "body_invalid", "The body is not valid: errors says where.", list(errors))


def assert_problem(response: Any, expected: dict[str, Any]) -> None:
    assert response.headers["Content-Type"] == "application/problem+json"
    assert response.json() == expected
    assert response.status_code == expected["status"]


def database() -> dict[str, list[dict[str, Any]]]:
    """All that firing could change."""
    models: list[type[Model]] = [Trigger, Activity, AudienceChunk, Occurrence, Run, Step]
    return {model.__name__: list(model._base_manager.order_by("pk").values()) for model in models}
