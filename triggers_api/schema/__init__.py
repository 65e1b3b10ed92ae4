"""
The OpenAPI document of the API, and JSON Schemas of what people set up.

Views say what they are by ``operations``; :class:`~triggers_api.schema.inspection.TriggersAutoSchema` reads it, both
for our own document and for that of a project which uses drf-spectacular for its own API.
"""
