"""The exported OpenAPI documents, and what keeps them honest. ``make schema`` exports them."""
