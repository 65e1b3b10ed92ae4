"""
The parts of a trigger on its page: a form for each event, condition and action, with the fields of its own class
below the class's docstring.

Classes are looked up when a page is shown, so that those of apps loaded after this one have their forms too.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING, Any, ClassVar, cast

from django.contrib.admin.utils import flatten_fieldsets
from django.core.exceptions import ValidationError
from django.db.models import Model
from django.forms import ModelForm
from django.forms.formsets import DELETION_FIELD_NAME
from django.http import HttpRequest
from django.utils.html import escape, format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from polymorphic.admin import StackedPolymorphicInline
from polymorphic.admin.helpers import PolymorphicInlineAdminForm, PolymorphicInlineAdminFormSet
from polymorphic.formsets import BasePolymorphicInlineFormSet, PolymorphicFormSetChild
from polymorphic.models import PolymorphicModel

from triggers.enabling import not_installed
from triggers.loading import load
from triggers.models import Action, Condition, Event
from triggers.registry import component_types, description

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise


def explanation(model: type[Model]) -> SafeString:
    """The class's docstring as HTML."""
    text = description(model)
    paragraphs = re.split(r"\n\s*\n", text) if text else []
    return format_html_join("", "<p>{}</p>", ((" ".join(lines.split()),) for lines in paragraphs))


class PermittedChanges:
    """
    A form that changes nothing its user may not change.

    A form that was added is saved even when nothing was filled in: some classes have no fields of their own.
    """

    instance: Model
    can_add: ClassVar[bool]
    can_change: ClassVar[bool]

    def has_changed(self) -> bool:
        if self.instance._state.adding:
            return self.can_add
        return self.can_change and bool(super().has_changed())  # type: ignore[misc]


class KeptSecrets:
    """A form that does not show secrets. One that is left blank stays as it is."""

    instance: Any
    fields: Any
    initial: dict[str, Any]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in self._kept:
            self.initial[name] = ""
            self.fields[name].required = False
            kept = _("A value is set, which is not shown. Leave this blank to keep it.")
            self.fields[name].help_text = format_html("{} {}", self.fields[name].help_text, kept)

    def clean(self) -> Any:
        super().clean()  # type: ignore[misc]
        values: dict[str, Any] = self.cleaned_data  # type: ignore[attr-defined]
        self.instance.kept_secrets = [name for name in self._kept if name in values and not values[name]]
        for name in self.instance.kept_secrets:
            values[name] = getattr(self.instance, name)
        return values

    @property
    def _kept(self) -> list[str]:
        secrets = self.instance.secret_fields
        return [name for name in secrets if name in self.fields and getattr(self.instance, name)]


class ComponentInline(StackedPolymorphicInline.Child):
    """The form of one class. ``admin_initkwargs`` of the class overrides any attribute."""

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """The class's own fields below its docstring, then those that all components of the kind have."""
        given: Any = super().get_fieldsets(request, obj)
        fieldsets = [(name, dict(options)) for name, options in given]
        common = [name for name in self._kind.common_fields if name not in (self.exclude or ())]
        if not (self.fields or self.fieldsets):
            options = fieldsets[0][1]
            options["fields"] = [name for name in options["fields"] if name not in common]
        remaining = [name for name in common if name not in flatten_fieldsets(cast(Any, fieldsets))]
        if remaining:
            fieldsets.append((None, {"fields": [tuple(remaining)]}))
        fieldsets[0][1].setdefault("description", explanation(self.model))
        return fieldsets

    def get_formset_child(self, request: HttpRequest, obj: Any = None, **kwargs: Any) -> PolymorphicFormSetChild:
        permitted = {
            "can_add": self._kind.has_add_permission(request, obj),
            "can_change": self._kind.has_change_permission(request, obj),
        }
        form = type(self.form.__name__, (PermittedChanges, KeptSecrets, self.form), permitted)
        return super().get_formset_child(request, obj, **{"form": form} | kwargs)

    @property
    def _kind(self) -> ComponentsInline:
        return cast(ComponentsInline, self.parent_inline)


class ComponentFormSet(BasePolymorphicInlineFormSet):
    """The trigger's components of a kind; those that cannot be loaded as what they were are set apart as missing."""

    is_required: ClassVar[bool]
    kind: ClassVar[StrOrPromise]
    missing: list[PolymorphicModel]

    def get_queryset(self) -> Any:
        if not hasattr(self, "_queryset"):
            queryset: Any = super().get_queryset()
            found, self.missing = load(queryset.non_polymorphic())
            self.missing += [component for component in found if type(component) not in self.child_forms]
            self._queryset = [component for component in found if type(component) in self.child_forms]
        return self._queryset

    def get_form_kwargs(self, index: int | None) -> dict[str, Any]:
        """A new action comes last."""
        kwargs = super().get_form_kwargs(index)
        if index is None and self.model is Action:
            positions = [action.position for action in self.get_queryset()]
            kwargs["initial"] = {"position": max(positions, default=-1) + 1}
        return kwargs

    def clean(self) -> None:
        super().clean()
        if not self.instance.is_enabled:
            return
        if self.missing:
            raise ValidationError(
                _("The trigger cannot be enabled: it has %(parts)s.") % {"parts": ", ".join(self.missing_parts)},
                "component_missing",
            )
        if self.is_required and not any(self._stays(form) for form in self.forms):
            raise ValidationError(
                _("An enabled trigger needs at least one %(kind)s: add one, or do not enable the trigger.")
                % {"kind": self.kind},
                "trigger_incomplete",
            )

    @property
    def missing_parts(self) -> list[str]:
        return [not_installed(component) for component in self.missing]

    def _stays(self, form: Any) -> bool:
        return (form.instance.pk or form.has_changed()) and not form.cleaned_data.get(DELETION_FIELD_NAME)


class ComponentsInline(StackedPolymorphicInline):
    """All components of one kind."""

    formset = ComponentFormSet
    template = "admin/triggers/edit_inline/components.html"
    extra = 0
    introduction: StrOrPromise
    #: Fields that all components of the kind have; they come after those of the class.
    common_fields: Collection[str] = ()
    #: Whether an enabled trigger must have one.
    is_required = False

    def get_child_inlines(self) -> list[type[StackedPolymorphicInline.Child]]:
        kind: Any = self.model
        return [_child_inline(model) for model in sorted(component_types(kind), key=_sort_key)]

    def get_formset(self, request: HttpRequest, obj: Any = None, **kwargs: Any) -> Any:
        formset: Any = super().get_formset(request, obj, **kwargs)
        formset.is_required = self.is_required
        formset.kind = self.opts.verbose_name
        return formset


class ActionInline(ComponentsInline):
    model = Action
    introduction = gettext_lazy(
        "What is done then, in the order of the positions; actions of the same position in the order shown."
    )
    common_fields = ("position", "on_failure")
    is_required = True


class EventInline(ComponentsInline):
    model = Event
    introduction = gettext_lazy("What starts the trigger: any one of these.")
    common_fields = ("delay",)
    is_required = True


class ConditionInline(ComponentsInline):
    model = Condition
    introduction = gettext_lazy("What must hold of the person: all of these, or nothing is done.")


class ComponentAdminFormSet(PolymorphicInlineAdminFormSet):
    """What the template shows of a formset: read-only where the user may only look."""

    def __iter__(self) -> Iterator[PolymorphicInlineAdminForm]:
        for form in self.formset.initial_forms:
            yield self._admin_form(form, form.instance, self.has_change_permission)
        for form in self.formset.extra_forms:
            yield self._admin_form(form, None, True)
        if self.has_add_permission:
            for form in self.formset.empty_forms:
                yield self._admin_form(form, None, True)

    def inline_formset_data(self) -> str:
        data = json.loads(super().inline_formset_data())
        # The script pastes the name as HTML, and finds the empty form by the type: two apps may use one class name.
        data["options"]["childTypes"] = [
            {"type": template_id(model), "name": escape(capfirst(str(model._meta.verbose_name)))}
            for model in self.formset.child_forms
        ]
        return json.dumps(data)

    def _admin_form(self, form: ModelForm[Any], original: Any, is_editable: bool) -> PolymorphicInlineAdminForm:
        model = form._meta.model
        inline = self.opts.get_child_inline_instance(model)
        fieldsets = self.get_child_fieldsets(inline)
        if not is_editable:
            fieldsets = _without(model.secret_fields, fieldsets)
        readonly = self.get_child_readonly_fields(inline)
        admin_form = PolymorphicInlineAdminForm(
            formset=self.formset,
            form=form,
            fieldsets=fieldsets,
            prepopulated_fields=self.get_child_prepopulated_fields(inline) if is_editable else {},
            original=original,
            readonly_fields=readonly if is_editable else [*readonly, *flatten_fieldsets(cast(Any, fieldsets))],
            model_admin=inline,
            view_on_site_url=original and self.opts.get_view_on_site_url(original),
        )
        admin_form.template_id = template_id(model)  # type: ignore[attr-defined]
        return admin_form


def _without(names: Collection[str], fieldsets: Any) -> Any:
    """The fieldsets without these fields, of which each line is one or several."""
    lines = [[[line] if isinstance(line, str) else line for line in options["fields"]] for _, options in fieldsets]
    kept = [[tuple(name for name in line if name not in names) for line in group] for group in lines]
    return [
        (title, options | {"fields": [line for line in group if line]})
        for (title, options), group in zip(fieldsets, kept, strict=True)
    ]


def template_id(model: type[Model]) -> str:
    """What the empty form of the class is found by on the page."""
    return f"{model._meta.app_label}-{model._meta.model_name}"


def _child_inline(model: type[Model]) -> type[StackedPolymorphicInline.Child]:
    attributes = {"model": model, "extra": 0}
    if hasattr(model, "admin_initkwargs"):
        attributes |= model.admin_initkwargs()
    return type(f"{model.__name__}Inline", (ComponentInline,), attributes)


def _sort_key(model: type[Model]) -> str:
    return str(model._meta.verbose_name).lower()
