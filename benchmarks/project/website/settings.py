"""Settings for dj-triggers 1.0.1 on Django 4.2 and for this version: Django's own wherever nothing is said here."""

import os
from importlib.util import find_spec
from urllib.parse import urlsplit

SECRET_KEY = "benchmark"
USE_TZ = True
ALLOWED_HOSTS = ["127.0.0.1"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
EMAIL_BACKEND = "django.core.mail.backends.dummy.EmailBackend"

INSTALLED_APPS = ["django.contrib.auth", "django.contrib.contenttypes", "polymorphic", "triggers", "shop"]
if find_spec("triggers_api"):
    ROOT_URLCONF = "website.urls"
    INSTALLED_APPS += ["rest_framework", "rest_framework.authtoken", "triggers_api"]
    REST_FRAMEWORK = {
        "DEFAULT_AUTHENTICATION_CLASSES": ["rest_framework.authentication.TokenAuthentication"],
        "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    }
TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}]

_database = urlsplit(os.environ["DATABASE_URL"])
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": _database.path[1:],
        "USER": _database.username,
        "HOST": _database.hostname,
        "PORT": _database.port,
        # As is usual where speed matters: a connection is not made anew for each request and task.
        "CONN_MAX_AGE": 600,
    }
}

CELERY_BROKER_URL = os.environ["CELERY_BROKER_URL"]
CELERY_TASK_IGNORE_RESULT = True
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True

TEMPORAL_HOST = os.environ["TEMPORAL_HOST"]
