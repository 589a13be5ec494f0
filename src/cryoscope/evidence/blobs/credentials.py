"""The keys that other clients of S3 keep in files, which obstore does not look into.

`~/.aws/credentials` and `~/.aws/config`, or where `AWS_SHARED_CREDENTIALS_FILE` and `AWS_CONFIG_FILE` say;
docs.aws.amazon.com/cli/latest/userguide/cli-configure-files.html
"""

from __future__ import annotations

import configparser
import os

NAMES = {
    "aws_access_key_id": "access_key_id",
    "aws_secret_access_key": "secret_access_key",
    "aws_session_token": "session_token",
    "region": "region",
}
"""What is taken from a profile, and what obstore calls it."""


def credentials() -> dict[str, str]:
    """What the profile `AWS_PROFILE` (else `default`) says; nothing where there is none."""
    profile = os.environ.get("AWS_PROFILE") or "default"
    keys = os.environ.get("AWS_SHARED_CREDENTIALS_FILE") or os.path.expanduser("~/.aws/credentials")
    config = os.environ.get("AWS_CONFIG_FILE") or os.path.expanduser("~/.aws/config")
    return _profile(config, "default" if profile == "default" else f"profile {profile}") | _profile(
        keys, profile
    )


def _profile(path: str, section: str) -> dict[str, str]:
    parser = configparser.RawConfigParser(strict=False)
    try:
        parser.read(path, "utf-8")
    except (configparser.Error, ValueError, OSError):
        return {}
    if not parser.has_section(section):
        return {}
    return {
        ours: parser.get(section, name) for name, ours in NAMES.items() if parser.has_option(section, name)
    }
