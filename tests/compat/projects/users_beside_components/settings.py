from tests.compat.projects.settings import *  # noqa: F403
from tests.compat.projects.settings import INSTALLED_APPS

INSTALLED_APPS = ["tests.compat.projects.users_beside_components", *INSTALLED_APPS]
AUTH_USER_MODEL = "users_beside_components.Member"
