"""Fills the database; tells the token of somebody who may do anything."""

import django

django.setup()

from tests.fuzz import world  # noqa: E402  # there are no models before

print(world.make())
