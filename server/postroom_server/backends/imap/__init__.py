"""IMAP accounts: connections, pool, watch and reading, behind the port MailAccount."""
