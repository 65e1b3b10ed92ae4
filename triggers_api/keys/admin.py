"""Where people make keys, for themselves unless they are superusers, and revoke them."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.db.models import Field, JSONField, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from triggers.admin.people import name_fields
from triggers_api.keys import event_types, secret
from triggers_api.keys.models import ApiKey
from triggers_api.keys.scopes import SCOPES

if TYPE_CHECKING:
    ModelAdmin = admin.ModelAdmin[ApiKey]
    ModelForm = forms.ModelForm[ApiKey]
else:
    ModelAdmin = admin.ModelAdmin
    ModelForm = forms.ModelForm


class ApiKeyForm(ModelForm):
    def clean_expires_at(self) -> datetime | None:
        moment: datetime | None = self.cleaned_data["expires_at"]
        if moment and "expires_at" in self.changed_data and moment <= timezone.now():
            raise ValidationError(_("Write a time to come; to end a key now, revoke it."), "past")
        return moment


@admin.register(ApiKey)
class ApiKeyAdmin(ModelAdmin):
    """Keys as their owners see them. The secret of a new one is in the answer to the form, and nowhere else."""

    form = ApiKeyForm
    list_display = ("prefix", "name", "user", "scope_names", "types", "expires_at", "last_used_at", "state")
    list_select_related = ("user",)
    ordering = ("-pk",)
    raw_id_fields = ("user",)
    actions = ("revoke",)

    class Media:
        css: ClassVar = {"all": ("triggers_keys/admin.css",)}

    def get_search_fields(self, request: HttpRequest) -> list[str]:
        return ["prefix__startswith", "name", *(f"user__{name}__iexact" for name in name_fields())]

    def get_fields(self, request: HttpRequest, obj: ApiKey | None = None) -> Any:
        given = ("name", "user", "scopes", "event_types", "expires_at")
        if obj is None:
            return [name for name in given if name != "user" or self._may_choose_user(request)]
        return [*given, "prefix", "state", "created_at", "last_used_at", "revoked_at"]

    def get_readonly_fields(self, request: HttpRequest, obj: ApiKey | None = None) -> Any:
        return () if obj is None else ("user", "prefix", "state", "created_at", "last_used_at", "revoked_at")

    def get_autocomplete_fields(self, request: HttpRequest) -> Any:
        users = self.admin_site._registry.get(get_user_model())
        return ("user",) if users and users.get_search_fields(request) else ()

    def get_changeform_initial_data(self, request: HttpRequest) -> Any:
        return {"user": request.user.pk} | super().get_changeform_initial_data(request)

    def formfield_for_dbfield(self, db_field: Field[Any, Any], request: Any, **kwargs: Any) -> Any:
        if not isinstance(db_field, JSONField):
            return super().formfield_for_dbfield(db_field, request, **kwargs)
        scopes = [(name, f"{name} – {scope.about}") for name, scope in SCOPES.items()]
        types = [(label, label) for label in event_types.installed()]
        return forms.MultipleChoiceField(
            choices=scopes if db_field.name == "scopes" else types,
            widget=forms.CheckboxSelectMultiple,
            required=not db_field.blank,
            label=capfirst(db_field.verbose_name),
            help_text=db_field.help_text,
        )

    def get_form(self, request: HttpRequest, obj: ApiKey | None = None, change: bool = False, **kwargs: Any) -> Any:
        form = super().get_form(request, obj, change, **kwargs)
        types: Any = form.base_fields.get("event_types")
        if obj and types:
            # A type that was uninstalled stays chosen: without any the key would be good for all.
            gone = [label for label in obj.event_types if label not in dict(types.choices)]
            types.choices += [(label, _("%(type)s (not installed)") % {"type": label}) for label in gone]
        return form

    def has_change_permission(self, request: HttpRequest, obj: ApiKey | None = None) -> bool:
        return super().has_change_permission(request, obj) and self._is_theirs(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: ApiKey | None = None) -> bool:
        return super().has_delete_permission(request, obj) and self._is_theirs(request, obj)

    def _is_theirs(self, request: HttpRequest, key: ApiKey | None) -> bool:
        """Whoever has the key of another user could widen its scopes."""
        return key is None or key.user_id == request.user.pk or self._may_choose_user(request)

    def _may_choose_user(self, request: HttpRequest) -> bool:
        """A key has its user's power: only those may lend that of others who have all there is."""
        return bool(getattr(request.user, "is_superuser", False))

    def save_model(self, request: Any, obj: ApiKey, form: Any, change: bool) -> None:
        if not change:
            if not self._may_choose_user(request):
                obj.user = request.user
            obj.set_secret(secret.new())
        super().save_model(request, obj, form, change)

    def response_add(self, request: HttpRequest, obj: ApiKey, post_url_continue: str | None = None) -> HttpResponse:
        """The page that shows the secret, in this answer only: a redirect would have to keep it somewhere."""
        context = {**self.admin_site.each_context(request), "title": _("The key was made"), "opts": self.opts}
        return TemplateResponse(request, "admin/triggers_keys/apikey/secret.html", context | {"key": obj})

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        """Without the buttons that lead elsewhere than to the secret."""
        buttons = {"show_save_and_add_another": False, "show_save_and_continue": False}
        return super().add_view(request, form_url, buttons | (extra_context or {}))

    @admin.display(description=gettext_lazy("scopes"))
    def scope_names(self, key: ApiKey) -> str:
        return ", ".join(key.scopes)

    @admin.display(description=gettext_lazy("event types"))
    def types(self, key: ApiKey) -> str:
        return ", ".join(key.event_types) or _("all")

    @admin.display(description=gettext_lazy("state"))
    def state(self, key: ApiKey) -> str:
        return str(key.state.label)

    @admin.action(description=gettext_lazy("Revoke"), permissions=["change"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[ApiKey]) -> None:
        theirs = [key for key in queryset if self.has_change_permission(request, key)]
        good = [key for key in theirs if not key.revoked_at]
        ApiKey.objects.filter(pk__in=[key.pk for key in good]).revoke()
        for key in good:
            self.log_change(request, key, _("Revoked."))
        message = ngettext("%d key was revoked.", "%d keys were revoked.", len(good)) % len(good)
        self.message_user(request, message, messages.SUCCESS)
        if others := len(queryset) - len(theirs):
            message = ngettext(
                "%d key was left alone: it is not yours.", "%d keys were left alone: they are not yours.", others
            )
            self.message_user(request, message % others, messages.ERROR)
