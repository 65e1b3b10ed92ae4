from tests.compat.projects.settings import *  # noqa: F403
from tests.compat.projects.settings import INSTALLED_APPS, MIGRATION_MODULES

INSTALLED_APPS = [*INSTALLED_APPS, "tests.compat.projects.overrides"]
MIGRATION_MODULES = {**MIGRATION_MODULES, "overrides": "made.overrides"}
