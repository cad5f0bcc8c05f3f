#!/usr/bin/env python3
"""Write the .env that docker-compose.yml reads: generated secrets, and which endpoint is asked.

    python3 scripts/compose_env.py                    the local stand-in rates and embeds
    python3 scripts/compose_env.py --own-endpoint     you fill in a language model and an embedder
    python3 scripts/compose_env.py --gpu              stages are trained on one NVIDIA GPU

Only the standard library. The file is readable by its owner alone and is never overwritten: the
databases in their volumes know the passwords that stand in it.
"""

import argparse
import os
import secrets
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

PASSWORDS = (
    "POSTGRES_ADMIN_PASSWORD",
    "POSTGRES_OWNER_PASSWORD",
    "POSTGRES_APP_PASSWORD",
    "POSTGRES_INGEST_PASSWORD",
    "VALKEY_PASSWORD",
    "WINNOW_OPERATOR_KEY",
    "WINNOW_SCORER_KEY",
)
"""Hexadecimal, since they stand in URLs, in a configuration file and behind a dollar sign."""

LOCAL = "local_llm:8090"
MODELS = {"WINNOW_LLM__": "winnow-local-rater", "WINNOW_EMBEDDER__": "winnow-local-encoder"}


def main(arguments: list[str]) -> int:
    """Write the file; 1 when it is there already or can not be written."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--own-endpoint", action="store_true", help="no local stand-in")
    parser.add_argument("--gpu", action="store_true", help="train on one NVIDIA GPU")
    parser.add_argument("--output", type=Path, default=ROOT / ".env", help="default: ./.env")
    given = parser.parse_args(arguments)
    lines = content(local=not given.own_endpoint, gpu=given.gpu)
    try:
        written = os.open(given.output, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return _refuse(
            f"{given.output} is there already and stays as it is: the databases know its passwords."
        )
    except OSError as error:
        return _refuse(f"{given.output} can not be written: {error.strerror}.")
    with os.fdopen(written, "w", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")
    print(f"{given.output} is written. {_next(local=not given.own_endpoint)}")
    return 0


def content(*, local: bool, gpu: bool) -> list[str]:
    """Return the lines of the file; each call draws new secrets."""
    profiles = [name for name, wanted in (("local", local), ("gpu", gpu)) if wanted]
    return [
        "# Read by docker-compose.yml. Secret; every name is explained in .env.example.",
        *(f"{name}={secrets.token_hex(32)}" for name in PASSWORDS),
        f"COMPOSE_PROFILES={','.join(profiles)}",
        f"CPU_TRAINERS={int(not gpu)}",
        *(_local_endpoint() if local else _own_endpoint()),
    ]


def _local_endpoint() -> list[str]:
    key = secrets.token_hex(32)
    lines = [f"WINNOW_LOCAL_LLM__API_KEY={key}", f"WINNOW_OUTGOING_ALLOW={LOCAL}"]
    for prefix, model in MODELS.items():
        lines += [
            f"{prefix}BASE_URL=http://{LOCAL}/v1",
            f"{prefix}API_KEY={key}",
            f"{prefix}MODEL={model}",
        ]
    return lines


def _own_endpoint() -> list[str]:
    return [
        "# Fill these in. A private address is only called when WINNOW_OUTGOING_ALLOW lists it, as",
        "# host:port.",
        "WINNOW_OUTGOING_ALLOW=",
        *(f"{prefix}{name}=" for prefix in MODELS for name in ("BASE_URL", "API_KEY", "MODEL")),
    ]


def _next(*, local: bool) -> str:
    return (
        "Next: docker compose up --build --detach --wait"
        if local
        else "Next: fill in its lines WINNOW_LLM__* and WINNOW_EMBEDDER__*."
    )


def _refuse(sentence: str) -> int:
    print(sentence, file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
