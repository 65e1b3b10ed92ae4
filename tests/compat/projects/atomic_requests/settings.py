from tests.compat.projects.settings import *  # noqa: F403
from tests.compat.projects.settings import DATABASES

DATABASES = {"default": {**DATABASES["default"], "ATOMIC_REQUESTS": True}}
ROOT_URLCONF = "tests.compat.projects.atomic_requests.scenario"
CELERY_TASK_ALWAYS_EAGER = True
