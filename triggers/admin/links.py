"""Links between the admin's pages, as far as the reader may follow them."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.contrib.admin import AdminSite
from django.contrib.admin.utils import quote
from django.db.models import Model
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html


class Links:
    """Links for one request, where the site shows the model, and to this person."""

    def __init__(self, site: AdminSite, request: HttpRequest) -> None:
        self._site = site
        self._request = request

    def to_page(self, model: type[Model], pk: Any, text: str) -> str:
        """A link to the page of the row, or the mere text."""
        if not self.reach(model):
            return text
        return format_html('<a href="{}">{}</a>', reverse(self._name(model, "change"), args=[quote(pk)]), text)

    def to_list(self, model: type[Model], text: str, **query: Any) -> str:
        """A link to the rows that the query leaves, or nothing."""
        if not self.reach(model):
            return ""
        url = reverse(self._name(model, "changelist"))
        return format_html('<a href="{}?{}">{}</a>', url, urlencode(query), text)

    def reach(self, model: type[Model]) -> bool:
        """Whether there are pages of the model that this person may see."""
        if not self._site.is_registered(model):
            return False
        return self._site.get_model_admin(model).has_view_permission(self._request)

    def _name(self, model: type[Model], page: str) -> str:
        return f"{self._site.name}:{model._meta.app_label}_{model._meta.model_name}_{page}"
