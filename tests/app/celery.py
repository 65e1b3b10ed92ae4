"""The Celery application: ``celery -A tests.app worker`` performs what triggers started."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.app.settings")

app = Celery("tests.app")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
