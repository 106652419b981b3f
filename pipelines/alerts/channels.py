"""Alert channels: e-mail over SMTP, or JSON to a webhook. This module reads no call data, so it cannot send any."""

from __future__ import annotations

import hashlib
import hmac
import json
import smtplib
import ssl
import urllib.error
import urllib.request
from collections.abc import Mapping
from email.message import EmailMessage
from email.utils import formatdate
from http.client import HTTPException
from typing import Any

from pipelines.alerts.rules import Channel, Email, Webhook
from pipelines.core.printable import printable
from pipelines.core.remote import secret_of

TIMEOUT_S = 20.0


class UndeliveredError(Exception):
    """A message was not accepted; the text is the reason, `is_final` means that an immediate retry is of no use."""

    def __init__(self, why: str, *, is_final: bool = False) -> None:
        super().__init__(why)
        self.is_final = is_final


def send(channel: Channel, alert_id: str, subject: str, text: str, body: Mapping[str, Any]) -> None:
    """Send a message through a channel.

    Raises UndeliveredError when it was not accepted, MisconfiguredError when a secret is missing.
    """
    subject, text = printable(subject), printable(text, keep="\n")
    if channel.email:
        _mail(channel.email, alert_id, subject, text)
    if channel.webhook:
        _post(channel.webhook, alert_id, {"subject": subject, "text": text, **body})


def _mail(by: Email, alert_id: str, subject: str, text: str) -> None:
    letter = EmailMessage()
    letter["Subject"] = subject
    letter["From"] = by.sender
    letter["To"] = ", ".join(by.to)
    letter["Date"] = formatdate()
    letter["Message-ID"] = f"<{alert_id}@{by.sender.rpartition('@')[2]}>"  # the same for the same alert: mail readers show it once
    letter["Auto-Submitted"] = "auto-generated"
    letter.set_content(text)
    where = f"{by.server}:{by.port}"
    try:
        if by.security == "tls":
            server: smtplib.SMTP = smtplib.SMTP_SSL(by.server, by.port, timeout=TIMEOUT_S, context=ssl.create_default_context())
        else:
            server = smtplib.SMTP(by.server, by.port, timeout=TIMEOUT_S)
        with server:
            if by.security == "starttls":
                server.starttls(context=ssl.create_default_context())
            if by.user and by.password_file:
                server.login(by.user, secret_of(by.password_file))
            refused = server.send_message(letter)
    except smtplib.SMTPAuthenticationError as error:
        raise UndeliveredError(
            f"{where} does not take the user and password ({error.smtp_code}); see user and password_file", is_final=True
        ) from error
    except smtplib.SMTPRecipientsRefused as error:
        raise UndeliveredError(f"{where} refuses every address: {_codes(error.recipients)}", is_final=True) from error
    except smtplib.SMTPNotSupportedError as error:
        raise UndeliveredError(f"{where} cannot do what security: {by.security} asks for ({error})", is_final=True) from error
    except smtplib.SMTPResponseException as error:
        raise UndeliveredError(f"{where} answers {error.smtp_code}", is_final=error.smtp_code >= 500) from error
    except ssl.SSLCertVerificationError as error:
        raise UndeliveredError(f"the certificate of {where} is not trusted ({error.verify_message})", is_final=True) from error
    except (OSError, smtplib.SMTPException) as error:
        raise UndeliveredError(f"{where} cannot be reached ({_reason(error)})") from error
    if refused:  # some recipients accepted it: a retry would notify them twice
        raise UndeliveredError(f"{where} refuses some of the addresses: {_codes(refused)}", is_final=True)


def _post(by: Webhook, alert_id: str, body: Mapping[str, Any]) -> None:
    content = json.dumps(body, ensure_ascii=False).encode()
    headers = {"Content-Type": "application/json; charset=utf-8", "User-Agent": "callgrade", "Idempotency-Key": alert_id}
    if by.secret_file:
        headers["X-Callgrade-Signature"] = "sha256=" + hmac.new(secret_of(by.secret_file).encode(), content, hashlib.sha256).hexdigest()
    request = urllib.request.Request(by.url, content, headers, method="POST")
    where = urllib.parse.urlsplit(by.url).netloc.rpartition("@")[2]  # the path of a webhook is often its secret
    try:
        with urllib.request.build_opener(_Stay, urllib.request.ProxyHandler()).open(request, timeout=TIMEOUT_S) as answer:
            answer.read(1000)
    except urllib.error.HTTPError as error:
        with error:
            raise UndeliveredError(
                f"{where} answers {error.code}", is_final=error.code < 500 and error.code not in (408, 425, 429)
            ) from error
    except (OSError, HTTPException) as error:
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
        raise UndeliveredError(f"{where} cannot be reached ({_reason(reason)})") from error


class _Stay(urllib.request.HTTPRedirectHandler):
    """Follows no redirects, so that alerts are sent only to the configured address."""

    def redirect_request(self, *_: Any) -> None:
        return None


def _codes(refused: Mapping[str, Any]) -> str:
    return ", ".join(sorted({str(answer[0]) for answer in refused.values()}))


def _reason(error: object) -> str:
    return str(getattr(error, "strerror", None) or error or type(error).__name__)
