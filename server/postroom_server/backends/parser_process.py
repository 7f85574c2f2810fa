"""The program of a parser process: frames of raw mail on standard input, frames of JSON on standard output.

It owns the limits that it sets on itself and the form of both frames, and refuses everything else: it opens no file and no
socket, and ends when its input ends, so that it cannot outlive the process that started it. Run by `parsing.ParserPool`.

    request   4 bytes length · 4 bytes text budget · raw message
    reply     4 bytes length · JSON of a ParsedMessage
"""

from __future__ import annotations

import dataclasses
import json
import math
import resource
import signal
import struct
import sys
from collections.abc import Mapping
from datetime import datetime
from typing import Any, BinaryIO, Final

from postroom_server.domain.messages import Address
from postroom_server.domain.mime import ParsedMessage, ParsedPart, parse_message

MAX_ADDRESS_SPACE: Final = 256 * 1024 * 1024
MAX_CPU_SECONDS: Final = 2
"""Per message; counted in whole seconds by the kernel."""
REQUEST_HEAD: Final = struct.Struct(">II")
REPLY_HEAD: Final = struct.Struct(">I")

_ADDRESSES: Final = ("from_", "sender", "reply_to", "to", "cc", "bcc")


def encode(parsed: ParsedMessage) -> bytes:
    """A ParsedMessage as JSON."""
    shown = dataclasses.asdict(parsed)
    shown["send_time"] = parsed.send_time.isoformat() if parsed.send_time else None
    return json.dumps(shown, ensure_ascii=True, separators=(",", ":")).encode()


def decode(raw: bytes) -> ParsedMessage:
    """The ParsedMessage of its JSON. Raises ValueError, KeyError or TypeError for anything else."""
    shown: Mapping[str, Any] = json.loads(raw)
    values = dict(shown)
    for name in _ADDRESSES:
        values[name] = tuple([Address(**one) for one in shown[name]])
    values["headers"] = tuple([(str(name), str(value)) for name, value in shown["headers"]])
    values["in_reply_to"] = tuple(shown["in_reply_to"])
    values["references"] = tuple(shown["references"])
    values["parts"] = tuple([ParsedPart(**one) for one in shown["parts"]])
    values["send_time"] = datetime.fromisoformat(shown["send_time"]) if shown["send_time"] else None
    return ParsedMessage(**values)


def limit_process() -> None:
    """Bounds the memory of this process and takes it out of the terminal's interrupts."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_AS, (MAX_ADDRESS_SPACE, MAX_ADDRESS_SPACE))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def limit_cpu() -> None:
    """Lets the next message use `MAX_CPU_SECONDS`; the kernel ends the process beyond."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    seconds = math.ceil(used.ru_utime + used.ru_stime) + MAX_CPU_SECONDS
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, resource.RLIM_INFINITY))


def serve(source: BinaryIO, sink: BinaryIO) -> None:
    """Answers frames until the input ends. MemoryError ends it: the starter makes a new one."""
    while True:
        head = source.read(REQUEST_HEAD.size)
        if len(head) < REQUEST_HEAD.size:
            return
        length, budget = REQUEST_HEAD.unpack(head)
        raw = source.read(length)
        if len(raw) < length:
            return
        limit_cpu()
        reply = encode(parse_message(raw, text_budget=budget))
        sink.write(REPLY_HEAD.pack(len(reply)))
        sink.write(reply)
        sink.flush()


def main() -> None:
    """Runs until standard input ends."""
    limit_process()
    serve(sys.stdin.buffer, sys.stdout.buffer)


if __name__ == "__main__":
    main()
