"""How other systems say who they are: ``Authorization: Bearer <token>``."""

from rest_framework.authentication import TokenAuthentication


class BearerAuthentication(TokenAuthentication):
    """REST framework's tokens, one per user, under the name that HTTP has for them."""

    keyword = "Bearer"
