"""
API keys, an optional app: other systems say who they are by ``Authorization: Bearer trg_…``.

    scopes.py           what a key may do: scopes, and the permissions that each stands for
    secret.py           the secrets: how they are made, and what is kept of them
    models.py           the keys; each acts as a user, and never gives more than its user has
    authentication.py   from the header of a request to its user and key
    admin.py            where people make and revoke keys; ``manage.py triggers_key`` does the same
"""
