"""The floor for runs: a task that does one UPDATE in a transaction."""

from celery import shared_task
from django.db import transaction

from shop.models import touch


@shared_task(acks_late=True, ignore_result=True)
def touch_one(user_pk: int) -> None:
    with transaction.atomic():
        touch(user_pk)
