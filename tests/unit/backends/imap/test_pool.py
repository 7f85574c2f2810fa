"""Who gets a connection next: lanes, deadlines, places that are given up."""

from __future__ import annotations

import asyncio

import pytest
from postroom_server.domain.ports import Lane
from postroom_server.errors import DeadlineExceeded, MessageTooLarge, ProviderUnreachable

from tests.unit.backends.imap.scripted import call, opened, scripted


async def test_a_caller_waits_for_callers_only_and_goes_before_the_others():
    async with scripted({}) as server, opened(server) as mail:
        pool = mail._pool
        bulk = await pool.take(call(lane=Lane.BULK))
        sync = asyncio.ensure_future(pool.take(call(lane=Lane.SYNC)))
        first = await pool.take(call(1))
        second = asyncio.ensure_future(pool.take(call()))
        await asyncio.sleep(0)
        pool.give_back(bulk)
        assert await second
        assert not sync.done()
        pool.give_back(first)
        assert await sync
        pool.give_back(second.result())
        pool.give_back(sync.result())
        assert repr(pool) == "<Pool busy=0 idle=2 waiting=0>"


async def test_reading_goes_on_beside_a_busy_caller():
    async with scripted({}) as server, opened(server) as mail:
        caller = await mail._pool.take(call())
        reader = await mail._pool.take(call(1, lane=Lane.SYNC))
        mail._pool.give_back(caller)
        mail._pool.give_back(reader)


async def test_a_waiter_that_gave_up_stands_in_nobodys_way():
    async with scripted({}) as server, opened(server) as mail:
        pool = mail._pool
        first, second = await pool.take(call()), await pool.take(call())
        with pytest.raises(DeadlineExceeded):
            await pool.take(call(0.02))
        gone = asyncio.ensure_future(pool.take(call()))
        await asyncio.sleep(0)
        gone.cancel()
        pool.give_back(first)
        third = await pool.take(call(1))
        pool.give_back(second)
        pool.give_back(third)


async def test_a_place_whose_connection_failed_is_free_again():
    async with scripted({}) as server, opened(server) as mail:
        server.script["AUTHENTICATE"] = "{tag} NO [UNAVAILABLE] later\r\n"
        for session in mail._pool._idle:
            session.connection.drop()
        for _ in range(4):
            with pytest.raises(ProviderUnreachable):
                await mail.list_mailboxes(call(1), counts=False)
        server.script.pop("AUTHENTICATE")
        assert await mail.list_mailboxes(call(1), counts=False)


async def test_a_closed_account_lends_nothing():
    async with scripted({}) as server, opened(server) as mail:
        session = await mail._pool.take(call())
        await mail.close()
        mail._pool.give_back(session)
        assert session.connection.failed
        with pytest.raises(ProviderUnreachable):
            await mail.list_mailboxes(call(), counts=False)


async def test_a_message_beyond_the_servers_limit_is_not_sent():
    from postroom_server.domain.keys import MailboxKey
    from postroom_server.domain.messages import ByteStream

    async def chunks():
        yield b"x" * 11

    script = {"CAPABILITY": "* CAPABILITY IMAP4rev1 AUTH=PLAIN APPENDLIMIT=10\r\n{tag} OK x\r\n"}
    async with scripted(script) as server, opened(server) as mail:
        stream = ByteStream(content_type="message/rfc822", size_bytes=11, exact=True, chunks=chunks())
        with pytest.raises(MessageTooLarge):
            await mail.append(call(), MailboxKey(b"INBOX"), stream, frozenset(), None)
        assert not [line for line in server.lines if b"APPEND " in line]
