"""Pages of long lists, without counting millions of rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from django.core import paginator
from django.utils.functional import cached_property

if TYPE_CHECKING:
    Paginator = paginator.Paginator[Any]
else:
    Paginator = paginator.Paginator


class BoundedPaginator(Paginator):
    """Counts no further than LIMIT and has no pages beyond it."""

    LIMIT: ClassVar[int] = 10_000

    @cached_property
    def _counted(self) -> int:
        queryset: Any = self.object_list
        return int(queryset.order_by().values("pk")[: self.LIMIT + 1].count())

    @cached_property
    def count(self) -> int:
        return min(self._counted, self.LIMIT)

    @property
    def is_cut_off(self) -> bool:
        """Whether there are rows beyond the last page."""
        return self._counted > self.LIMIT
