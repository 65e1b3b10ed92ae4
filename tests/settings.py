"""
The example project's settings as the tests use them: with the probe app, and with the settings of
triggers taken from the environment, durations in seconds, so that a test can set them for the
workers it starts.
"""

import os
from ast import literal_eval
from datetime import timedelta

from kombu.transport import TRANSPORT_ALIASES

from tests.app.settings import *  # noqa: F403
from tests.app.settings import DATABASES, INSTALLED_APPS

# Kombu's own lets a worker take a message that is half written, on which it ends.
TRANSPORT_ALIASES["filesystem"] = "triggers_api.service.broker:Transport"

INSTALLED_APPS = [
    *INSTALLED_APPS,
    "triggers.contrib.actions",
    "triggers.contrib.conditions",
    "triggers.contrib.events",
    "triggers.contrib.journeys",
    "triggers_api.event_types",
    "triggers_api.keys",
    "triggers_api.service.people",
    "tests.probe",
    "tests.variety",
]
# As in production: connections last, of workers too.
DATABASES["default"] |= {"CONN_MAX_AGE": 60, "CONN_HEALTH_CHECKS": True}
# Tests of keys have the API take them; all others have the tokens of the example project.
SILENCED_SYSTEM_CHECKS = ["triggers_keys.W001"]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # fast

for _name, _text in os.environ.items():
    if _name in ("TRIGGERS_LEASE", "TRIGGERS_SWEEP_INTERVAL", "TRIGGERS_HANDOVER_GRACE"):
        globals()[_name] = timedelta(seconds=float(_text))
    elif _name in ("TRIGGERS_MAX_LOSSES", "TRIGGERS_MAX_DEPTH", "TRIGGERS_CHUNK_SIZE"):
        globals()[_name] = int(_text)
    elif _name == "TRIGGERS_WEBHOOK_ALLOWED_HOSTS":
        globals()[_name] = literal_eval(_text)
    elif _name in ("TRIGGERS_USE_TEMPORAL", "TEMPORAL_SEARCH_ATTRIBUTES"):
        globals()[_name] = _text == "True"
    elif _name in ("TEMPORAL_HOST", "TEMPORAL_NAMESPACE", "TEMPORAL_TASK_QUEUE"):
        globals()[_name] = _text
