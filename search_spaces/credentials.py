"""Keep the passwords and tokens in addresses out of what is shown, stored or sent to others.

    without_credentials("http://me:secret@host:5000/x?token=abc")  # "http://***@host:5000/x?token=***"

Whoever gives an address with a password has it in their command or environment. Storage, MLflow, logs, error messages
and the description of a Ray job are read by others.
"""

from __future__ import annotations

import re

HIDDEN = "***"

_ENDS = r"\s'\"<>`"
"""Characters at which an address in a text ends."""

_USER_INFO = re.compile(
    # an @ before the first slash, or a colon that is not that of a port: a password may hold what had to be encoded
    rf"(://)(?=[^/?#{_ENDS}]*@|[^/?#:@{_ENDS}]*:(?!\d{{1,5}}(?:[/?#{_ENDS}]|$)))[^{_ENDS}]+@"
)
_SECRET_FIELD = re.compile(
    rf"([?&;#][\w.-]*(?:token|passw|pwd|secret|key|sig|credential|auth)[\w.-]*=)[^&;#{_ENDS}]+", re.IGNORECASE
)


def without_credentials(text: str) -> str:
    """Replace user, password and secret fields of every address in a text by stars."""
    if "://" not in text:
        return text
    return _SECRET_FIELD.sub(rf"\1{HIDDEN}", _USER_INFO.sub(rf"\1{HIDDEN}@", text))


def has_credentials(address: str) -> bool:
    """Check whether an address holds a user, a password or a secret field."""
    return without_credentials(address) != address
