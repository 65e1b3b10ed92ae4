"""People, triggers and what belongs to them are on one alias, everything else on the default one."""

import os

from tests.app.settings import database
from tests.compat.projects.settings import *  # noqa: F403
from tests.compat.projects.settings import DATABASES, INSTALLED_APPS

INSTALLED_APPS = ["django.contrib.sessions", *INSTALLED_APPS]
DATABASES = {**DATABASES, "people": database(os.environ["SECOND_DATABASE_URL"])}
DATABASE_ROUTERS = ["tests.compat.projects.two_databases.router.Router"]
