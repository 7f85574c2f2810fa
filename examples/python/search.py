"""Find messages: conditions, how a server answered them, and results page by page.

It makes a sandbox account, sends it a few letters and looks for some of them.

    .venv/bin/python examples/python/search.py [WORD]
"""

from __future__ import annotations

import asyncio
import os
import sys
import uuid
from pathlib import Path

import postroom
from postroom.v1.account_pb2 import Account, SandboxSettings
from postroom.v1.account_service_pb2 import CreateAccountRequest, DeleteAccountRequest
from postroom.v1.composed_message_pb2 import ComposedMessage
from postroom.v1.message_pb2 import Address
from postroom.v1.search_pb2 import SearchCondition, SearchCoverage, SearchFilter, SearchMessagesRequest
from postroom.v1.submission_pb2 import Submission
from postroom.v1.submission_service_pb2 import SubmitMessageRequest

ADDRESS = os.environ.get("POSTROOM_ADDRESS", "127.0.0.1:8080")
TOKEN = os.environ.get("POSTROOM_TOKEN") or Path(".postroom/token").read_text().strip()
SUBJECTS = ("Invoice 1001", "Lunch on Friday", "Invoice 1002", "Minutes", "Your invoice 1003")
ARRIVES_WITHIN = 60.0


async def write(client: postroom.Postroom, account: Account, subject: str) -> None:
    """Sends a letter to the account itself."""
    letter = ComposedMessage(to=[Address(address=account.email)], subject=subject, text="Kind regards")
    submission = Submission(composed=letter)
    request = SubmitMessageRequest(parent=account.name, submission=submission, request_id=str(uuid.uuid4()))
    await client.submissions.SubmitMessage(request)


async def arrived(client: postroom.Postroom, account: Account) -> None:
    """Returns once every letter is in the account."""
    missing = set(SUBJECTS)
    async with client.watch(
        account.name, start="EARLIEST", kinds=["MESSAGE_ADDED"], mailboxes=["inbox"]
    ) as watch:
        async for change in watch:
            missing.discard(change.message_added.message.subject)
            if not missing:
                return


async def find(client: postroom.Postroom, account: Account, word: str) -> int:
    """Prints the unread messages of the inbox with `word` in their subject; returns how many there are."""
    request = SearchMessagesRequest(
        parent=account.name,
        mailboxes=["inbox"],
        filter=SearchFilter(condition=SearchCondition(subject=word, not_flag="$seen")),
        page_size=2,
    )
    for one in (await client.messages.SearchMessages(request)).coverage:
        answered = SearchCoverage.AnsweredBy.Name(one.answered_by)
        print(f"{one.condition}: answered by {answered}{'' if one.complete else ', not complete'}")
    found = 0
    async for message in client.pages(client.messages.SearchMessages, request):
        print("found:", message.subject)
        found += 1
    return found


async def main() -> int:
    word = sys.argv[1] if len(sys.argv) > 1 else "invoice"
    async with postroom.connect(ADDRESS, TOKEN) as client:
        given = Account(email=f"ada-{uuid.uuid4().hex[:8]}@sandbox.test", sandbox=SandboxSettings())
        account = (await client.accounts.CreateAccount(CreateAccountRequest(account=given))).account
        try:
            for subject in SUBJECTS:
                await write(client, account, subject)
            await asyncio.wait_for(arrived(client, account), ARRIVES_WITHIN)
            print("messages:", await find(client, account, word))
        finally:
            await client.accounts.DeleteAccount(DeleteAccountRequest(name=account.name))
    return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
