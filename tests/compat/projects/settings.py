"""What the projects have in common. Their migrations are made in the folder ``made``, which the test provides."""

import os

from tests.app.settings import database

SECRET_KEY = "project"
USE_TZ = True
ALLOWED_HOSTS = ["testserver"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "polymorphic",
    "triggers",
    "tests.compat.projects.notes",
]
MIGRATION_MODULES = {"notes": "made.notes"}
DATABASES = {"default": database(os.environ["DATABASE_URL"])}
CELERY_BROKER_URL = "memory://"
