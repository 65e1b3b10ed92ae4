from django.core.management import call_command

from tests.compat.projects.notes.scenes import celery


def play() -> None:
    celery()
    call_command("test", "tests.compat.projects.django_testcase", pattern="cases.py", verbosity=0)
