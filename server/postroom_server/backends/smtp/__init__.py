"""Sending over SMTP, behind the port MailSender."""
