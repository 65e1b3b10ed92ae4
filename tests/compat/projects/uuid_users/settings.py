from tests.compat.projects.settings import *  # noqa: F403
from tests.compat.projects.settings import INSTALLED_APPS, MIGRATION_MODULES

INSTALLED_APPS = ["tests.compat.projects.uuid_users", *INSTALLED_APPS, "rest_framework", "triggers_api"]
ROOT_URLCONF = "tests.compat.projects.uuid_users.urls"
MIGRATION_MODULES = {**MIGRATION_MODULES, "uuid_users": "made.uuid_users"}
AUTH_USER_MODEL = "uuid_users.Person"
