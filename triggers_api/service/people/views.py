"""The people events happen to: registered, looked up and forgotten by other systems."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import Http404
from django.utils.translation import gettext_lazy as _
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response

from triggers import clock
from triggers_api.errors import Problem
from triggers_api.fields import NumberField, TextField
from triggers_api.permissions import is_permitted
from triggers_api.queries import Query
from triggers_api.schema.operations import Operation
from triggers_api.service.people import registering
from triggers_api.service.people.models import Person, validate_key
from triggers_api.service.people.serializers import PersonSerializer
from triggers_api.views.base import TriggersView
from triggers_api.views.records import ListView


class PersonQuery(Query):
    """People by their e-mail address."""

    email = TextField(source="user__email", trim_whitespace=False, required=False)
    cursor = NumberField(required=False)


class MayKeep(IsAuthenticated):
    """Users with Django's permissions on users. To put somebody takes those to add and to change."""

    _NEEDED: ClassVar = {"PUT": ("add", "change"), "DELETE": ("delete",)}

    def has_permission(self, request: Request, view: Any) -> bool:
        if not super().has_permission(request, view):
            return False
        app, model = settings.AUTH_USER_MODEL.lower().split(".")
        for verb in self._NEEDED.get(request.method or "", ("view",)):
            permission = f"{app}.{verb}_{model}"
            if not is_permitted(request, permission):
                self.message = _("To do this you need the permission %s.") % permission
                return False
        return True


class PeopleView(ListView):
    """The people who are registered, the newest first."""

    permission_classes = [MayKeep]
    serializer_class = PersonSerializer
    tag = "people"
    operations = {"get": Operation("people_list", PersonSerializer, is_page=True, query=PersonQuery)}

    def rows(self) -> QuerySet[Person]:
        return Person.objects.using(clock.alias()).select_related("user")


class PersonView(TriggersView):
    """One person, by the key that other systems have for them."""

    permission_classes = [MayKeep]
    tag = "people"
    operations = {
        "get": Operation("people_retrieve", PersonSerializer),
        "put": Operation(
            "people_put", PersonSerializer, also=201, body=PersonSerializer, refuses={409: ("user_may_sign_in",)}
        ),
        "delete": Operation("people_delete", status=204, refuses={409: ("user_may_sign_in",)}),
    }

    def get(self, request: Request, key: str) -> Response:
        with _found():
            return Response(PersonSerializer(registering.find(key)).data)

    def put(self, request: Request, key: str) -> Response:
        """
        The person is registered, or known already, and is as the body says. They cannot sign in.

        What is left out has its default. Answered with 201 for who was not known before.
        """
        try:
            validate_key(key)
        except ValidationError as error:
            raise Problem(400, "user_key_invalid", error.messages[0]) from None
        body = PersonSerializer(Person.objects.using(clock.alias()).filter(key=key).first(), data=request.data)
        body.is_valid(raise_exception=True)
        with _found():
            person, is_new = registering.put(key, **body.validated_data)
        return Response(PersonSerializer(person).data, status=201 if is_new else 200)

    def delete(self, request: Request, key: str) -> Response:
        """The person is gone, with their runs and all else that is kept of them."""
        with _found():
            registering.delete(key)
        return Response(status=204)


@contextmanager
def _found() -> Iterator[None]:
    try:
        yield
    except Person.DoesNotExist:
        raise Http404 from None
    except registering.MaySignIn:
        detail = "This user may sign in or has API keys: change them in the admin."
        raise Problem(409, "user_may_sign_in", detail) from None
