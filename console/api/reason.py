"""Why somebody asks for what is not shown to all: the field of every request that is on record with its reason."""

from typing import Annotated

from pydantic import Field, StringConstraints

Reason = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=2, max_length=500),
    Field(description="kept in the audit record beside your name"),
]
"""2 to 500 characters, without the blanks around them: blanks alone are no reason."""
