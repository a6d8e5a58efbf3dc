"""Somebody who is signed in and may look: what every route that reads asks for."""

from typing import Annotated

from fastapi import Depends

from console.access.who import Who
from console.api.needs import needs

Reader = Annotated[Who, Depends(needs("read"))]
