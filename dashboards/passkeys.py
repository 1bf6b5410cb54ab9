"""The page `/account/passkeys`: one's own keys, the form for another one, and their end."""

from hashlib import sha256
from typing import Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse, JSONResponse, Response

from core.command_id import new_command_id
from core.passkey import Keyring, Passkey, key_words
from core.passkey_proof import encode, registration_challenge
from core.people import Person
from dashboards import parts, theme
from dashboards.login import chosen_scheme
from dashboards.plant import PlantServices
from dashboards.security import Gate

PATH = "/account/passkeys"
ALGORITHMS = (-8, -7, -257)  # EdDSA, ES256, RS256: what the core can verify
TIMEOUT_MS = 60_000


def router(plant: PlantServices, gate: Gate) -> APIRouter:
    """Return the routes; what they show is recorded over the REST interface."""
    guard = gate.guard("/account")
    routes = APIRouter(include_in_schema=False, dependencies=[Depends(guard)])

    @routes.get(PATH)
    def show(request: Request) -> HTMLResponse:
        login = guard(request)
        site = plant.execution.signing.site
        document = theme.plain(
            "Passkeys", parts.join(), login=login, plant=plant.name, zone=str(plant.zone),
            here="/account", chosen=chosen_scheme(request), template="passkeys.html",
            person=login.viewer.person, keys=_rows(plant, login.viewer.person),
            rp_id="" if site is None else site.rp_id,
            address="" if site is None else site.origins[0] + PATH,
        )  # fmt: skip
        return HTMLResponse(document)

    @routes.get(f"{PATH}/options")
    def options(request: Request) -> Response:
        body = _options(plant, guard(request).viewer.person)
        return JSONResponse(body, headers={"cache-control": "no-store"})

    return routes


def _held(plant: PlantServices, person: str) -> tuple[str, ...]:
    ring = plant.execution.nouns.get(Keyring, person)
    return () if ring is None else ring.credentials


def _rows(plant: PlantServices, person: str) -> list[dict[str, str]]:
    """Return a person's keys in words, the oldest first."""
    found = [plant.execution.nouns.get(Passkey, one) for one in _held(plant, person)]
    return [
        {
            "id": key.credential,
            "label": key.label,
            "words": key_words(key.public_key),
            "since": str(parts.local_time(key.registered_at, plant.zone, seconds=False)),
            "used": "never"
            if key.used_at is None
            else str(parts.local_time(key.used_at, plant.zone, seconds=False)),
            "press": new_command_id(),
        }
        for key in found
        if key is not None
    ]


def _options(plant: PlantServices, person: str) -> dict[str, Any]:
    """Return what a browser is asked to make a key with, and the record that the key answers."""
    site, shown = plant.execution.signing.site, plant.execution.shown(f"{Person.KIND}/{person}")
    if site is None or shown is None:
        return {}
    state, seen = shown
    challenge = registration_challenge(person, ver=seen.ver, head=seen.head)
    return {
        "seen": {"stream": seen.stream, "ver": seen.ver, "head": seen.head},
        "publicKey": {
            "challenge": encode(challenge),
            "rp": {"id": site.rp_id, "name": plant.name},
            "user": {
                "id": encode(sha256(f"batchwright {person}".encode()).digest()),
                "name": person,
                "displayName": state.name,
            },
            "pubKeyCredParams": [{"type": "public-key", "alg": alg} for alg in ALGORITHMS],
            "authenticatorSelection": {"userVerification": "required"},
            "excludeCredentials": [
                {"type": "public-key", "id": one} for one in _held(plant, person)
            ],
            "attestation": "none",
            "timeout": TIMEOUT_MS,
        },
    }
