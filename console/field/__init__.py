"""What the technician's phone needs: his orders with everything inside, live answers, and a place for photos and signatures.

``ROUTERS`` is what the application includes.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fastapi import APIRouter

    ROUTERS: tuple[APIRouter, ...]


def __getattr__(name: str) -> "tuple[APIRouter, ...]":
    # The routes are made of the modules of this package: they cannot be there before it is.
    if name == "ROUTERS":
        from console.api import attachments, field

        return attachments.router, field.router
    raise AttributeError(name)
