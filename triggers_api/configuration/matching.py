"""
Which components a trigger has already, of those that an item of a document lists.

Documents have no ids, which differ from server to server. So that no component is made anew, and what is never told
(a secret) stays with the component that has it, items are given the ids of the components that they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def with_ids(items: Any, told: list[dict[str, Any]]) -> Any:
    """
    The items, those that the trigger has with their ids: first the ones that say the same as a component, then, in
    their order, the ones of the same type. What is no list of components is left for others to refuse.
    """
    if not isinstance(items, list):
        return items
    ids = {item["id"] for item in items if isinstance(item, Mapping) and isinstance(item.get("id"), int)}
    free = [component for component in told if component["id"] not in ids]
    found: dict[int, Any] = {}
    for alike in (_says_the_same, _is_of_the_same_type):
        for index, item in enumerate(items):
            if index in found or not isinstance(item, Mapping) or "id" in item:
                continue
            match = next((component for component in free if alike(item, component)), None)
            if match is not None:
                free.remove(match)
                found[index] = {**item, "id": match["id"]}
    return [found.get(index, item) for index, item in enumerate(items)]


def _says_the_same(item: Mapping[str, Any], component: Mapping[str, Any]) -> bool:
    return _is_of_the_same_type(item, component) and all(
        component[name] == value for name, value in item.items() if name in component
    )


def _is_of_the_same_type(item: Mapping[str, Any], component: Mapping[str, Any]) -> bool:
    return bool(item.get("type") == component["type"])
