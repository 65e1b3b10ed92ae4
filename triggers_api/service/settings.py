"""
Django's settings of the service, from the environment.

What is not set falls back to files in the data folder: database, messages, e-mails, secret key.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import environ
from django.core.exceptions import ImproperlyConfigured
from django.core.management.utils import get_random_secret_key
from kombu.transport import TRANSPORT_ALIASES

from triggers_api.service import folder

env = environ.Env()

DATA = Path(env.str("TRIGGERS_DATA", default="triggers-data")).absolute()
folder.make(DATA)

DEBUG = False
SECRET_KEY = env.str("SECRET_KEY", default="") or folder.secret(DATA / "secret-key", get_random_secret_key)
LOCAL_HOSTS: Final = ["localhost", "127.0.0.1", "[::1]"]
# Those who watch over the service ask it on its own machine.
ALLOWED_HOSTS = [*env.list("ALLOWED_HOSTS", default=[]), *LOCAL_HOSTS]
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])

# Set where a proxy in front of the service ends HTTPS and says so in X-Forwarded-Proto.
HTTPS = env.bool("HTTPS", default=False)
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if HTTPS else None
SECURE_SSL_REDIRECT = HTTPS
SECURE_REDIRECT_EXEMPT = ["^api/v1/health/"]
try:
    # For how long browsers keep to HTTPS once they have come by it.
    SECURE_HSTS_SECONDS = env.int("HSTS_SECONDS", default=3600 if HTTPS else 0)
except ValueError:
    raise ImproperlyConfigured("HSTS_SECONDS must be a number.") from None
# Whether other names below the service's have HTTPS too, or will for ever, is not for the service to say.
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W021"]

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "polymorphic",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "triggers",
    "triggers.contrib.actions",
    "triggers.contrib.conditions",
    "triggers.contrib.events",
    "triggers.contrib.journeys",
    "triggers_api",
    "triggers_api.event_types",
    "triggers_api.keys",
    "triggers_api.service",
    "triggers_api.service.people",
    "triggers_api.service.demo",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

ROOT_URLCONF = "triggers_api.service.urls"
WSGI_APPLICATION = "triggers_api.service.wsgi.application"

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

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "triggers_api.keys.authentication.ApiKeyAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
}

# People are those whom other systems register, by keys of theirs.
TRIGGERS_API_USER_FIELD = "person__key"
TRIGGERS_API_CREATE_USERS = "triggers_api.service.people.registering.register"
TRIGGERS_USER_TIME_ZONE = "person.time_zone"
TRIGGERS_USER_FIELDS = {
    "id": "pk",
    "username": "username",
    "email": "email",
    "first_name": "first_name",
    "last_name": "last_name",
    "key": "person.key",
    "name": "person.name",
    "time_zone": "person.time_zone",
    "attributes": "person.attributes",
}

USE_TZ = True
TIME_ZONE = env.str("TIME_ZONE", default="UTC")
try:
    ZoneInfo(TIME_ZONE)
except (LookupError, ValueError, OSError):
    raise ImproperlyConfigured("TIME_ZONE must be a name like Europe/Vienna.") from None

# WhiteNoise serves the files where they are installed; nothing is collected.
STATIC_URL = "/static/"
WHITENOISE_USE_FINDERS = True

#: Whether the database is the one in the data folder, so that whoever holds the folder is alone with it.
HAS_OWN_DATABASE: Final = not env.str("DATABASE_URL", default="")


def database() -> dict[str, Any]:
    """What DATABASE_URL names, or a file in the data folder. SQLite gets what it needs with several processes."""
    if HAS_OWN_DATABASE:
        parsed: dict[str, Any] = {"ENGINE": "django.db.backends.sqlite3", "NAME": str(DATA / "triggers.sqlite3")}
    elif urlsplit(env.str("DATABASE_URL")).scheme in ("postgres", "postgresql", "sqlite"):
        parsed = env.db("DATABASE_URL")
    else:
        raise ImproperlyConfigured(
            "DATABASE_URL must be like postgresql://user:password@host/database or sqlite:////path/to/file."
        )
    if parsed["NAME"] == ":memory:":
        raise ImproperlyConfigured("DATABASE_URL must name a file: several processes share the database.")
    if parsed["ENGINE"] == "django.db.backends.sqlite3":
        parsed["OPTIONS"] = {
            # Others wait for the one that writes, from the beginning of their transaction.
            "timeout": 20,
            "transaction_mode": "IMMEDIATE",
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
        }
    return {"CONN_MAX_AGE": 60, "CONN_HEALTH_CHECKS": True} | parsed


DATABASES = {"default": database()}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# Celery itself reads this variable too, before any setting: it must not have another name here.
CELERY_BROKER_URL = env.str("CELERY_BROKER_URL", default="") or "filesystem://localhost"
if urlsplit(CELERY_BROKER_URL).scheme.partition("+")[0] not in TRANSPORT_ALIASES:
    raise ImproperlyConfigured("CELERY_BROKER_URL must be like redis://host:6379/0 or amqp://user:password@host.")
if CELERY_BROKER_URL.startswith("filesystem:"):
    CELERY_BROKER_TRANSPORT_OPTIONS = {
        "data_folder_in": str(DATA / "broker" / "messages"),
        "data_folder_out": str(DATA / "broker" / "messages"),
        "control_folder": str(DATA / "broker" / "control"),
        "polling_interval": 0.05,
    }
    CELERY_WORKER_ENABLE_REMOTE_CONTROL = False
    # The worker takes no more than this, times its processes, each time that it looks.
    CELERY_WORKER_PREFETCH_MULTIPLIER = 16
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_TASK_IGNORE_RESULT = True

# What expressions and templates see of people.
TRIGGERS_USER_FIELDS = {
    "id": "pk",
    "key": "person.key",
    "email": "email",
    "first_name": "first_name",
    "last_name": "last_name",
    "name": "person.name",
    "time_zone": "person.time_zone",
    "attributes": "person.attributes",
}

# Seconds after which others take over what a worker that died had in hand.
TRIGGERS_LEASE = timedelta(seconds=env.int("TRIGGERS_LEASE", default=120))
TRIGGERS_USE_TEMPORAL = env.bool("TRIGGERS_USE_TEMPORAL", default=False)
# What is not set is left to the environment of Temporal's own client, and then to the library's defaults.
if _host := env.str("TEMPORAL_HOST", default=""):
    TEMPORAL_HOST = _host
if _namespace := env.str("TEMPORAL_NAMESPACE", default=""):
    TEMPORAL_NAMESPACE = _namespace
TEMPORAL_TASK_QUEUE = env.str("TEMPORAL_TASK_QUEUE", default="triggers")
TEMPORAL_SEARCH_ATTRIBUTES = env.bool("TEMPORAL_SEARCH_ATTRIBUTES", default=False)

try:
    # Processes for Celery, threads for Temporal.
    WORKER_CONCURRENCY = env.int("WORKER_CONCURRENCY", default=10 if TRIGGERS_USE_TEMPORAL else 2)
except ValueError:
    raise ImproperlyConfigured("WORKER_CONCURRENCY must be a number.") from None
CELERY_WORKER_CONCURRENCY = WORKER_CONCURRENCY
CELERY_WORKER_REDIRECT_STDOUTS = False

DEFAULT_FROM_EMAIL = env.str("DEFAULT_FROM_EMAIL", default="triggers@localhost")
if env.str("EMAIL_URL", default=""):
    globals().update(env.email("EMAIL_URL"))
else:
    EMAIL_BACKEND = "triggers_api.service.mail.EmailBackend"
    EMAIL_FILE_PATH = str(DATA / "mail")
EMAIL_TIMEOUT = 30

TRIGGERS_WEBHOOK_ALLOWED_HOSTS = env.list("TRIGGERS_WEBHOOK_ALLOWED_HOSTS", default=[])
TRIGGERS_ENCRYPTION_KEYS = env.list("TRIGGERS_ENCRYPTION_KEYS", default=[])

LOG_LEVEL = env.str("LOG_LEVEL", default="INFO").upper()
if LOG_LEVEL not in ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"):
    raise ImproperlyConfigured("LOG_LEVEL must be DEBUG, INFO, WARNING, ERROR or CRITICAL.")
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"plain": {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "plain"}},
    "root": {"handlers": ["console"], "level": LOG_LEVEL},
    "loggers": {
        "django": {"level": LOG_LEVEL, "handlers": [], "propagate": True},
        # Each task, and so each sweep, is two lines to Celery.
        "celery": {"level": "WARNING" if LOG_LEVEL == "INFO" else LOG_LEVEL},
    },
}
