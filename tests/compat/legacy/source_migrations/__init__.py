"""What the later source of dj-triggers has beyond the migrations that were released."""

import released_migrations

__path__ = [*__path__, *released_migrations.__path__]
