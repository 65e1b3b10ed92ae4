"""``manage.py triggers_reencrypt``: encrypt all secrets by the first key, so that the others can be taken away."""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.core.management.base import BaseCommand, CommandError
from django.db import models, router, transaction

from triggers.contrib.actions.encryption import SecretField, is_sealed


class Command(BaseCommand):
    help = "Encrypt all secrets anew by the first of TRIGGERS_ENCRYPTION_KEYS: the other keys are not needed any more."

    def handle(self, *args: Any, **options: Any) -> None:
        done = 0
        unopened: list[str] = []
        for model in apps.get_models():
            for field in model._meta.local_concrete_fields:
                if isinstance(field, SecretField) and not model._meta.proxy:
                    encrypted, failed = _encrypt_anew(model, field.attname)
                    done += encrypted
                    unopened += [f"{model._meta.label} {key}, {field.attname}" for key in failed]
        self.stdout.write(f"Encrypted anew: {done}.")
        if unopened:
            raise CommandError(
                f"None of the keys opens what these hold, and it stays as it is: {'; '.join(unopened)}. "
                "Add the key that it was encrypted by and call this again, or write it anew."
            )


def _encrypt_anew(model: type[models.Model], name: str) -> tuple[int, list[Any]]:
    """How many secrets of the field were encrypted anew, and the rows, by primary key, where none of the keys fits."""
    # Django's own class: rows of this model's table only, and nothing of classes derived from it.
    rows: models.QuerySet[Any] = models.QuerySet(model, using=router.db_for_write(model))
    done, failed = 0, []
    for key in rows.exclude(**{name: ""}).exclude(**{name: None}).order_by("pk").values_list("pk", flat=True):
        with transaction.atomic(using=rows.db):
            # Locked, lest a secret that is written meanwhile is lost.
            secret = rows.filter(pk=key).select_for_update().values_list(name, flat=True).first()
            if secret and is_sealed(secret):
                failed.append(key)
            elif secret:
                done += rows.filter(pk=key).update(**{name: secret})
    return done, failed
