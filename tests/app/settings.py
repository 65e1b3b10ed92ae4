"""
Settings of the example project.

Without environment variables it keeps a SQLite database and the messages of a filesystem broker in
``tests/data``; DATABASE_URL and CELERY_BROKER_URL name others.
"""

from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import environ

env = environ.Env()
DATA = Path(__file__).resolve().parent.parent / "data"

SECRET_KEY = env.str("SECRET_KEY", default="example")  # enough for an example, not for a site
DEBUG = env.bool("DEBUG", default=False)
ALLOWED_HOSTS = ["localhost", "127.0.0.1", "testserver"]
ROOT_URLCONF = "tests.app.urls"
USE_TZ = True

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "polymorphic",
    "rest_framework",
    "rest_framework.authtoken",
    "triggers",
    "triggers_api",
    "tests.app",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
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

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "rest_framework.authentication.TokenAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
}

TRIGGERS_AUDIENCES = {"task-owners": "tests.app.audiences.task_owners"}

STATIC_URL = "static/"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"


def database(url: str) -> dict[str, Any]:
    """Return the Django database that the URL names; SQLite gets the options it needs with a worker."""
    parsed: dict[str, Any] = environ.Env.db_url_config(url)
    if parsed["ENGINE"] == "django.db.backends.sqlite3":
        Path(parsed["NAME"]).parent.mkdir(parents=True, exist_ok=True)
        # A worker is a process of its own: it can share a file, not a database in memory.
        parsed["TEST"] = {"NAME": f"{parsed['NAME']}.test"}
        parsed["OPTIONS"] = {
            "timeout": 20,
            "transaction_mode": "IMMEDIATE",
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
        }
    return parsed


def broker(url: str) -> dict[str, Any]:
    """Return the Celery settings for the URL; ``filesystem:///some/folder`` keeps messages in that folder."""
    parsed = urlsplit(url)
    if parsed.scheme != "filesystem":
        return {"CELERY_BROKER_URL": url, "CELERY_BROKER_TRANSPORT_OPTIONS": {}}
    folder = Path(parsed.path)
    for name in ("messages", "control"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    return {
        "CELERY_BROKER_URL": "filesystem://",
        "CELERY_BROKER_TRANSPORT_OPTIONS": {
            "data_folder_in": str(folder / "messages"),
            "data_folder_out": str(folder / "messages"),
            "control_folder": str(folder / "control"),
            "polling_interval": 0.05,
        },
    }


DATABASES = {"default": database(env.str("DATABASE_URL", default=f"sqlite:///{DATA}/db.sqlite3"))}

globals().update(broker(env.str("CELERY_BROKER_URL", default=f"filesystem://{DATA}/broker")))
CELERY_TASK_IGNORE_RESULT = True
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BEAT_SCHEDULE = {
    "clock": {"task": "tests.app.tasks.fire_clock_event", "schedule": timedelta(minutes=1)},
}

# Where mail goes: to files in a folder if one is named, else to the terminal.
EMAIL_FILE_PATH = env.str("EMAIL_FILE_PATH", default=None)
if EMAIL_FILE_PATH:
    EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
else:
    EMAIL_BACKEND = "django.core.mail.backends.console.EmailBackend"
