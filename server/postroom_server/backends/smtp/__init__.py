"""Sending over SMTP submission (RFC 6409, RFC 5321): `SmtpSender` implements `senders.MailSender`."""

from postroom_server.backends.smtp.sender import SmtpSender

__all__ = ["SmtpSender"]
