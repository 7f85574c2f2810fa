"""The parser process: same answers as in process, bounds, replacement, end."""

import asyncio
import sys
import time
from contextlib import asynccontextmanager

import psutil
import pytest
from postroom_server.backends import parser_process
from postroom_server.backends.parsing import ParserPool
from postroom_server.domain.mime import parse_message

from tests.fixtures.eventually import eventually

RAW = b"""From: =?utf-8?q?J=C3=B6rg?= <j@x.y>
To: a@b, c@d
Date: Mon, 23 Nov 2026 10:00:00 +0200
Subject: hello
Content-Type: multipart/mixed; boundary=b

--b
Content-Type: text/plain; charset=iso-8859-1

caf\xe9
--b
Content-Type: application/pdf; name=a.pdf
Content-Transfer-Encoding: base64

QUJD
--b--
"""


@asynccontextmanager
async def parser_pool():
    pool = ParserPool()
    try:
        yield pool
    finally:
        await pool.close()


async def test_the_process_answers_like_the_function():
    async with parser_pool() as pool:
        assert await pool.parse(RAW) == parse_message(RAW)
        assert (await pool.parse(RAW, text_budget=2)).text == "ca"


async def test_many_tasks_take_turns():
    async with parser_pool() as pool:
        subjects = [f"number {n}" for n in range(20)]
        parsed = await asyncio.gather(*[pool.parse(f"Subject: {one}\r\n\r\nx".encode()) for one in subjects])
        assert [one.subject for one in parsed] == subjects


def parsers() -> list[psutil.Process]:
    """The parsing processes of this one; it may have other children, which fixtures of other tests have started."""
    return [one for one in psutil.Process().children() if "parser_process" in " ".join(one.cmdline())]


async def test_a_process_that_died_is_replaced():
    async with parser_pool() as pool:
        await pool.parse(RAW)
        (child,) = parsers()
        child.kill()
        first = await pool.parse(RAW)
        assert first.subject == "hello"
        assert (await pool.parse(RAW)).text == "café"


async def test_a_hanging_process_gives_the_header_fields_and_is_replaced():
    """The wall clock holds where the CPU clock does not: a stopped process."""
    async with parser_pool() as pool:
        await pool.parse(RAW)
        (child,) = parsers()
        child.suspend()
        start = time.monotonic()
        parsed = await pool.parse(RAW)
        assert time.monotonic() - start < 4.5
        assert (parsed.subject, parsed.complete, parsed.parts) == ("hello", False, ())
        assert (await pool.parse(RAW)).complete


async def test_a_cancelled_caller_leaves_no_answer_for_the_next():
    async with parser_pool() as pool:
        await pool.parse(RAW)
        task = asyncio.create_task(pool.parse(b"Subject: other\r\n\r\n" + b"x" * 20_000_000))
        await eventually(pool._turn.locked)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert (await pool.parse(RAW)).subject == "hello"


async def test_memory_is_bounded():
    """A text that is wide in memory does not fit into 256 MiB; the reader gets the header fields."""
    raw = (
        b"Subject: big\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n" + b"A" * 60_000_000 + "😀".encode()
    )
    async with parser_pool() as pool:
        parsed = await pool.parse(raw, text_budget=8 * 1024 * 1024)
        assert (parsed.subject, parsed.complete) == ("big", False)
        assert (await pool.parse(RAW)).subject == "hello"


async def test_a_closed_pool_shows_header_fields_and_leaves_no_process():
    pool = ParserPool()
    await pool.parse(RAW)
    await pool.close()
    await pool.close()
    assert (await pool.parse(RAW)).complete is False
    assert parsers() == []


def test_the_json_of_a_message_gives_the_message():
    parsed = parse_message(RAW)
    assert parser_process.decode(parser_process.encode(parsed)) == parsed


ORPHANS = """
import asyncio, os, psutil, signal
from postroom_server.backends.parsing import ParserPool

async def main():
    pool = ParserPool()
    await pool.parse(b"Subject: x")
    print(psutil.Process().children()[0].pid, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(main())
"""


async def test_the_process_dies_with_its_starter():
    starter = await asyncio.create_subprocess_exec(
        sys.executable, "-c", ORPHANS, stdout=asyncio.subprocess.PIPE
    )
    out, _ = await starter.communicate()
    child = int(out)
    await eventually(lambda: not psutil.pid_exists(child) or psutil.Process(child).status() == "zombie")
