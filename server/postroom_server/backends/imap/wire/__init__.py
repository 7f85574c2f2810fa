"""Bytes to responses and commands to bytes, without input or output: the IMAP grammar and nothing else."""
