"""
Projects unlike the example: each a settings module and a scenario that asserts what should be true there.

``python -m tests.compat.projects uuid_users`` makes the migrations and tables of one and plays its scenario.
"""
