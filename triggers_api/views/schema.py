"""The OpenAPI document, and a page that shows it."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any, Final

from django.apps import apps
from django.conf import settings
from django.templatetags.static import static
from drf_spectacular.renderers import OpenApiJsonRenderer, OpenApiYamlRenderer, OpenApiYamlRenderer2
from rest_framework.exceptions import ErrorDetail
from rest_framework.renderers import JSONRenderer, TemplateHTMLRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from triggers_api.errors import Problem, QueryInvalid
from triggers_api.negotiation import Negotiation
from triggers_api.queries import FormatQuery
from triggers_api.schema.document import document
from triggers_api.views.base import TriggersView, unless_known

#: What the page is made of: a template, and Swagger UI itself.
APPS: Final = ("drf_spectacular", "drf_spectacular_sidecar")


class OpenView(TriggersView):
    """Open to anybody: the document names types and fields, and no data."""

    authentication_classes = []
    permission_classes = []


class FormatNegotiation(Negotiation):
    """By ``format``, whatever the project calls it, or by Accept."""

    settings: Any = SimpleNamespace(URL_FORMAT_OVERRIDE="format")

    def filter_renderers(self, renderers: Any, format: str) -> Any:
        found = [renderer for renderer in renderers if renderer.format == format]
        if not found:
            raise QueryInvalid({"format": [ErrorDetail("Write json or yaml.", "invalid_choice")]})
        return found


class SchemaView(OpenView):
    """The OpenAPI document of the API, in JSON or YAML."""

    renderer_classes = [JSONRenderer, OpenApiYamlRenderer2, OpenApiJsonRenderer, OpenApiYamlRenderer]
    content_negotiation_class = FormatNegotiation
    query_class = FormatQuery

    def get(self, request: Request) -> Response:
        return unless_known(request, document(request.path.rstrip("/").removesuffix("schema")))


class DocsView(OpenView):
    """A page for people, on which they can try requests. Nothing of it comes from elsewhere."""

    renderer_classes = [TemplateHTMLRenderer]

    def get(self, request: Request) -> Response:
        if missing := [app for app in APPS if not apps.is_installed(app)]:
            detail = f"This page needs {' and '.join(missing)} in INSTALLED_APPS. The document itself is at schema/."
            raise Problem(404, "docs_not_installed", detail)
        files = "drf_spectacular_sidecar/swagger-ui-dist"
        return Response(
            {
                "title": "dj-triggers",
                "favicon_href": static(f"{files}/favicon-32x32.png"),
                "swagger_ui_css": static(f"{files}/swagger-ui.css"),
                "swagger_ui_bundle": static(f"{files}/swagger-ui-bundle.js"),
                "swagger_ui_standalone": static(f"{files}/swagger-ui-standalone-preset.js"),
                "template_name_js": "drf_spectacular/swagger_ui.js",
                "schema_url": request.path.rstrip("/").removesuffix("docs") + "schema/",
                "settings": json.dumps({"deepLinking": True, "validatorUrl": None}),
                "schema_auth_names": "[]",
                "csrf_header_name": settings.CSRF_HEADER_NAME.removeprefix("HTTP_").replace("_", "-"),
            },
            template_name="drf_spectacular/swagger_ui.html",
        )
