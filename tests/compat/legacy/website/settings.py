"""
A project as its people wrote it for dj-triggers 1.0.1, on Django 4.2.

OLD_MIGRATIONS stands in for a dj-triggers that is not installed: its value is the package with that one's migrations.
"""

import os
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

SECRET_KEY = "legacy"
USE_TZ = True
ROOT_URLCONF = "website.urls"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "polymorphic",
    "triggers",
    "todo",
]
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]


def database(url: str) -> dict[str, Any]:
    parsed = urlsplit(url)
    if parsed.scheme == "sqlite":
        return {"ENGINE": "django.db.backends.sqlite3", "NAME": parsed.path}
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": parsed.path[1:],
        "USER": parsed.username,
        "HOST": parsed.hostname,
        "PORT": parsed.port,
    }


DATABASES = {"default": database(os.environ["DATABASE_URL"])}
MIGRATION_MODULES = {}
if "OLD_MIGRATIONS" in os.environ:
    MIGRATION_MODULES["triggers"] = os.environ["OLD_MIGRATIONS"]
if "TODO_MIGRATIONS" in os.environ:
    MIGRATION_MODULES["todo"] = os.environ["TODO_MIGRATIONS"]

CELERY_BROKER_URL = os.environ.get("CELERY_BROKER_URL", "memory://")
CELERY_TASK_ALWAYS_EAGER = CELERY_BROKER_URL == "memory://"
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True

# Only the new version reads these: in a test, abandoned and undelivered work is to be found soon.
TRIGGERS_LEASE = timedelta(seconds=10)
TRIGGERS_SWEEP_INTERVAL = timedelta(seconds=1)
TRIGGERS_HANDOVER_GRACE = timedelta(seconds=1)
