"""Register an account, send it a message, see it arrive, read it.

It needs a running server (`make run`) and its token, and makes sandbox accounts of its own. With IMAP_HOST, IMAP_USER,
IMAP_PASSWORD and SMTP_HOST in the environment it uses that account in their place, and sends one message to itself.

    .venv/bin/python examples/python/quickstart.py
"""

from __future__ import annotations

import asyncio
import os
import sys
import uuid
from pathlib import Path

import postroom
from postroom.v1.account_pb2 import Account, MailServer, SandboxSettings
from postroom.v1.account_service_pb2 import CreateAccountRequest, DeleteAccountRequest
from postroom.v1.composed_message_pb2 import ComposedMessage
from postroom.v1.message_batch_pb2 import ModifyMessagesRequest
from postroom.v1.message_pb2 import Address
from postroom.v1.message_service_pb2 import GetMessageRequest
from postroom.v1.submission_pb2 import Submission
from postroom.v1.submission_service_pb2 import SubmitMessageRequest

ADDRESS = os.environ.get("POSTROOM_ADDRESS", "127.0.0.1:8080")
TOKEN = os.environ.get("POSTROOM_TOKEN") or Path(".postroom/token").read_text().strip()
ARRIVES_WITHIN = 60.0


def settings() -> Account:
    """The account to register: your own by environment, else a sandbox."""
    host = os.environ.get("IMAP_HOST")
    if not host:
        return Account(email=f"ada-{uuid.uuid4().hex[:8]}@sandbox.test", sandbox=SandboxSettings())
    user, password = os.environ["IMAP_USER"], os.environ["IMAP_PASSWORD"]
    return Account(
        email=user,
        imap=MailServer(host=host, username=user, password=password),
        smtp=MailServer(host=os.environ["SMTP_HOST"], username=user, password=password),
    )


async def send(client: postroom.Postroom, account: Account, subject: str) -> None:
    """Hands a message over for sending. The request id makes it safe to ask again: it is sent once."""
    composed = ComposedMessage(
        to=[Address(address=account.email)],
        subject=subject,
        text="Sent by examples/python/quickstart.py.",
    )
    answer = await client.submissions.SubmitMessage(
        SubmitMessageRequest(
            parent=account.name, submission=Submission(composed=composed), request_id=str(uuid.uuid4())
        )
    )
    print("accepted:", answer.submission.name)


async def arrival(watch: postroom.Watch, subject: str) -> tuple[str, str]:
    """The name of the message with this subject, once the feed has it, and the place in the feed behind it."""
    async for change in watch:
        print("change:", postroom.kind_of(change))
        if change.message_added.message.subject == subject:
            return change.message_added.message.name, change.cursor
    raise RuntimeError("the feed ended")


async def main() -> int:
    subject = f"Hello {uuid.uuid4().hex[:8]}"
    async with postroom.connect(ADDRESS, TOKEN) as client:
        account = (await client.accounts.CreateAccount(CreateAccountRequest(account=settings()))).account
        print("registered:", account.name)
        try:
            async with client.watch(account.name, start="EARLIEST") as watch:
                await send(client, account, subject)
                name, cursor = await asyncio.wait_for(arrival(watch, subject), ARRIVES_WITHIN)
                print("the feed goes on from here, also tomorrow:", cursor[:16] + "…")
            message = (await client.messages.GetMessage(GetMessageRequest(name=name))).message
            print("text:", message.text.strip())
            await client.messages.ModifyMessages(
                ModifyMessagesRequest(parent=account.name, names=[name], add_flags=["$seen"])
            )
            raw = await client.download(name)
            print("raw message:", len(raw), "bytes")
        finally:
            await client.accounts.DeleteAccount(DeleteAccountRequest(name=account.name))
            print("removed:", account.name)
    return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
