"""Send a file as an attachment, follow the submission until the message is on its way, and compare what arrived.

It makes a sandbox account that writes to itself. The request id is what makes sending safe: with the same id the same
message may be handed over as often as one likes, and is sent once.

    .venv/bin/python examples/python/send_attachment.py [FILE]
"""

from __future__ import annotations

import asyncio
import mimetypes
import os
import sys
import uuid
from pathlib import Path

import postroom
from postroom.v1.account_pb2 import Account, SandboxSettings
from postroom.v1.account_service_pb2 import CreateAccountRequest, DeleteAccountRequest
from postroom.v1.composed_message_pb2 import ComposedMessage
from postroom.v1.message_pb2 import Address, Message
from postroom.v1.submission_pb2 import Submission
from postroom.v1.submission_service_pb2 import SubmitMessageRequest

ADDRESS = os.environ.get("POSTROOM_ADDRESS", "127.0.0.1:8080")
TOKEN = os.environ.get("POSTROOM_TOKEN") or Path(".postroom/token").read_text().strip()
ARRIVES_WITHIN = 60.0


def composed(to: str, file: Path) -> ComposedMessage:
    """A message with the file."""
    content_type, _ = mimetypes.guess_type(file.name)
    return ComposedMessage(
        to=[Address(address=to)],
        subject=f"The file {file.name}",
        text="You find it attached.",
        attachments=[
            ComposedMessage.OutgoingAttachment(
                filename=file.name,
                content_type=content_type or "application/octet-stream",
                content=file.read_bytes(),
            )
        ],
    )


async def arrival(watch: postroom.Watch, submission: str, subject: str) -> Message:
    """Tells what becomes of the submission; returns the message that arrived in the inbox."""
    async for change in watch:
        if change.submission_changed.submission.name == submission:
            print("submission:", Submission.State.Name(change.submission_changed.submission.state))
        message = change.message_added.message
        if message.subject == subject and message.attachments:
            return message
    raise RuntimeError("the feed ended")


async def main() -> int:
    file = Path(sys.argv[1] if len(sys.argv) > 1 else __file__)
    async with postroom.connect(ADDRESS, TOKEN) as client:
        given = Account(email=f"ada-{uuid.uuid4().hex[:8]}@sandbox.test", sandbox=SandboxSettings())
        account = (await client.accounts.CreateAccount(CreateAccountRequest(account=given))).account
        try:
            message = composed(account.email, file)
            request = SubmitMessageRequest(
                parent=account.name,
                submission=Submission(composed=message),
                request_id=str(uuid.uuid4()),
            )
            sent = (await client.submissions.SubmitMessage(request)).submission
            async with client.watch(account.name, start="EARLIEST") as watch:
                arrived = await asyncio.wait_for(arrival(watch, sent.name, message.subject), ARRIVES_WITHIN)
            attachment = arrived.attachments[0]
            content = await client.download(attachment.name)
            print(f"arrived: {attachment.filename}, {attachment.content_type}, {len(content)} bytes")
            return 0 if content == message.attachments[0].content else 1
        finally:
            await client.accounts.DeleteAccount(DeleteAccountRequest(name=account.name))


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
