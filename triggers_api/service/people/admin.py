"""People in the admin, where somebody sees to them who knows them by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from triggers_api.service.people import registering
from triggers_api.service.people.models import Person

if TYPE_CHECKING:
    ModelAdmin = admin.ModelAdmin[Person]
    ModelForm = forms.ModelForm[Person]
else:
    ModelAdmin = admin.ModelAdmin
    ModelForm = forms.ModelForm


class PersonForm(ModelForm):
    email = forms.EmailField(label=_("E-mail address"), required=False, max_length=254)

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        if self.instance.pk:
            self.initial.setdefault("email", self.instance.user.email)

    def clean_attributes(self) -> Any:
        return self.cleaned_data["attributes"] or {}


@admin.register(Person)
class PersonAdmin(ModelAdmin):
    """The people who are registered; a new one has a user who cannot sign in."""

    form = PersonForm
    fields = ("key", "email", "name", "time_zone", "attributes", "created_at", "updated_at")
    readonly_fields = ("created_at", "updated_at")
    list_display = ("key", "name", "email", "time_zone", "created_at")
    list_select_related = ("user",)
    ordering = ("-pk",)
    search_fields = ("key__startswith", "name__icontains", "user__email__iexact")

    @admin.display(description=_("e-mail address"))
    def email(self, person: Person) -> str:
        return person.user.email

    def save_model(self, request: HttpRequest, obj: Person, form: Any, change: bool) -> None:
        if not change:
            obj.user = registering.user_of(obj.key)
        super().save_model(request, obj, form, change)
        obj.user.email = form.cleaned_data["email"]
        obj.user.save(update_fields=["email"])

    def delete_model(self, request: HttpRequest, obj: Person) -> None:
        """The person's user goes too, unless they are more than a person."""
        try:
            registering.delete(obj.key)
        except registering.MaySignIn:
            obj.delete()
