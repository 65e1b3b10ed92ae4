"""API keys in the OpenAPI document: a bearer scheme. drf-spectacular finds it once this module is imported."""

from __future__ import annotations

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema


class ApiKeyScheme(OpenApiAuthenticationExtension):
    target_class = "triggers_api.keys.authentication.ApiKeyAuthentication"
    name = "bearerAuth"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, Any]:
        return {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "trg_…",
            "description": (
                "An API key. It acts as a user, and gives what both its scopes and the permissions of the user allow."
            ),
        }
