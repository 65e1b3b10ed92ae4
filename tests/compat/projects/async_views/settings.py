from tests.compat.projects.settings import *  # noqa: F403

ROOT_URLCONF = "tests.compat.projects.async_views.scenario"
CELERY_TASK_ALWAYS_EAGER = True
