from tests.compat.projects.settings import *  # noqa: F403

CELERY_TASK_ALWAYS_EAGER = True
