"""The rooms of the web application, one module each; a room is a router whose routes take a `Visit`. To add one, name it here."""

from __future__ import annotations

from pipelines.web.routes import (
    access,
    administration,
    calibration,
    call,
    care,
    disputes,
    evaluate,
    manager,
    openid,
    operator,
    own_packs,
    session,
    trainer,
)

ROOMS = (manager, operator, call, evaluate, calibration, disputes, own_packs, trainer, care, session, access, administration, openid)
