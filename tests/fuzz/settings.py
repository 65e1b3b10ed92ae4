"""The example project as generated requests meet it; FUZZ_APPS names apps with more classes of components."""

from datetime import timedelta

from tests.app.settings import *  # noqa: F403
from tests.app.settings import INSTALLED_APPS, env

INSTALLED_APPS = [*INSTALLED_APPS, *env.list("FUZZ_APPS", default=[])]
# There is no worker: runs stay as requests have left them, and that is not to be found wanting.
TRIGGERS_LEASE = timedelta(days=1)
