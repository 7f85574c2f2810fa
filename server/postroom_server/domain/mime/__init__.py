"""Mail as text and trees: RFC 5322 fields, RFC 2045-2047 and 2231, lenient, bounded, linear.

It owns the reading of what others wrote and refuses to write (`domain.compose`) and to do any input or output.
"""

from postroom_server.domain.mime.addresses import parse_address_list
from postroom_server.domain.mime.headers import (
    MAX_HEADER_BLOCK,
    MAX_HEADER_FIELD,
    MAX_HEADER_FIELDS,
    decode_header,
    parse_date,
    parse_headers,
    parse_message_ids,
    printable,
    split_headers,
)
from postroom_server.domain.mime.message import (
    ParsedMessage,
    ParsedPart,
    body_text,
    parse_fields,
    parse_message,
    part_bytes,
)
from postroom_server.domain.mime.parameters import (
    clean_filename,
    decode_filename,
    decode_parameter,
    parse_content_type,
    parse_parameters,
)
from postroom_server.domain.mime.preview import preview_of
from postroom_server.domain.mime.text import (
    TransferDecoder,
    charset_codec,
    cut_utf8,
    decode_text,
    decode_transfer,
)

__all__ = [
    "MAX_HEADER_BLOCK",
    "MAX_HEADER_FIELD",
    "MAX_HEADER_FIELDS",
    "ParsedMessage",
    "ParsedPart",
    "TransferDecoder",
    "body_text",
    "charset_codec",
    "clean_filename",
    "cut_utf8",
    "decode_filename",
    "decode_header",
    "decode_parameter",
    "decode_text",
    "decode_transfer",
    "parse_address_list",
    "parse_content_type",
    "parse_date",
    "parse_fields",
    "parse_headers",
    "parse_message",
    "parse_message_ids",
    "parse_parameters",
    "part_bytes",
    "preview_of",
    "printable",
    "split_headers",
]
