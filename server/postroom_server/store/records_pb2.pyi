from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Chunk(_message.Message):
    __slots__ = ("members", "marks")
    MEMBERS_FIELD_NUMBER: _ClassVar[int]
    MARKS_FIELD_NUMBER: _ClassVar[int]
    members: bytes
    marks: _containers.RepeatedCompositeFieldContainer[Marked]
    def __init__(self, members: _Optional[bytes] = ..., marks: _Optional[_Iterable[_Union[Marked, _Mapping]]] = ...) -> None: ...

class Marked(_message.Message):
    __slots__ = ("code", "numbers")
    CODE_FIELD_NUMBER: _ClassVar[int]
    NUMBERS_FIELD_NUMBER: _ClassVar[int]
    code: int
    numbers: bytes
    def __init__(self, code: _Optional[int] = ..., numbers: _Optional[bytes] = ...) -> None: ...

class Keys(_message.Message):
    __slots__ = ("slots", "width", "columns", "keys")
    SLOTS_FIELD_NUMBER: _ClassVar[int]
    WIDTH_FIELD_NUMBER: _ClassVar[int]
    COLUMNS_FIELD_NUMBER: _ClassVar[int]
    KEYS_FIELD_NUMBER: _ClassVar[int]
    slots: bytes
    width: int
    columns: bytes
    keys: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, slots: _Optional[bytes] = ..., width: _Optional[int] = ..., columns: _Optional[bytes] = ..., keys: _Optional[_Iterable[bytes]] = ...) -> None: ...

class Bucket(_message.Message):
    __slots__ = ("steps", "prints")
    STEPS_FIELD_NUMBER: _ClassVar[int]
    PRINTS_FIELD_NUMBER: _ClassVar[int]
    steps: _containers.RepeatedScalarFieldContainer[int]
    prints: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, steps: _Optional[_Iterable[int]] = ..., prints: _Optional[_Iterable[int]] = ...) -> None: ...

class Position(_message.Message):
    __slots__ = ("space", "mailbox", "epoch", "span_bits", "count", "next_number", "cursor", "revision", "fresh_ms")
    SPACE_FIELD_NUMBER: _ClassVar[int]
    MAILBOX_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    SPAN_BITS_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    NEXT_NUMBER_FIELD_NUMBER: _ClassVar[int]
    CURSOR_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    FRESH_MS_FIELD_NUMBER: _ClassVar[int]
    space: int
    mailbox: int
    epoch: int
    span_bits: int
    count: int
    next_number: int
    cursor: bytes
    revision: int
    fresh_ms: int
    def __init__(self, space: _Optional[int] = ..., mailbox: _Optional[int] = ..., epoch: _Optional[int] = ..., span_bits: _Optional[int] = ..., count: _Optional[int] = ..., next_number: _Optional[int] = ..., cursor: _Optional[bytes] = ..., revision: _Optional[int] = ..., fresh_ms: _Optional[int] = ...) -> None: ...

class Marks(_message.Message):
    __slots__ = ("names",)
    NAMES_FIELD_NUMBER: _ClassVar[int]
    names: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, names: _Optional[_Iterable[str]] = ...) -> None: ...

class Mailbox(_message.Message):
    __slots__ = ("number", "key", "path", "delimiter", "role", "role_source", "scope", "not_selectable", "virtual", "subscribed", "messages", "unseen", "space", "epoch", "not_announced")
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    PATH_FIELD_NUMBER: _ClassVar[int]
    DELIMITER_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    ROLE_SOURCE_FIELD_NUMBER: _ClassVar[int]
    SCOPE_FIELD_NUMBER: _ClassVar[int]
    NOT_SELECTABLE_FIELD_NUMBER: _ClassVar[int]
    VIRTUAL_FIELD_NUMBER: _ClassVar[int]
    SUBSCRIBED_FIELD_NUMBER: _ClassVar[int]
    MESSAGES_FIELD_NUMBER: _ClassVar[int]
    UNSEEN_FIELD_NUMBER: _ClassVar[int]
    SPACE_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    NOT_ANNOUNCED_FIELD_NUMBER: _ClassVar[int]
    number: int
    key: bytes
    path: _containers.RepeatedScalarFieldContainer[str]
    delimiter: str
    role: str
    role_source: str
    scope: bytes
    not_selectable: bool
    virtual: bool
    subscribed: bool
    messages: int
    unseen: int
    space: int
    epoch: int
    not_announced: bool
    def __init__(self, number: _Optional[int] = ..., key: _Optional[bytes] = ..., path: _Optional[_Iterable[str]] = ..., delimiter: _Optional[str] = ..., role: _Optional[str] = ..., role_source: _Optional[str] = ..., scope: _Optional[bytes] = ..., not_selectable: _Optional[bool] = ..., virtual: _Optional[bool] = ..., subscribed: _Optional[bool] = ..., messages: _Optional[int] = ..., unseen: _Optional[int] = ..., space: _Optional[int] = ..., epoch: _Optional[int] = ..., not_announced: _Optional[bool] = ...) -> None: ...

class Server(_message.Message):
    __slots__ = ("host", "port", "security", "username")
    HOST_FIELD_NUMBER: _ClassVar[int]
    PORT_FIELD_NUMBER: _ClassVar[int]
    SECURITY_FIELD_NUMBER: _ClassVar[int]
    USERNAME_FIELD_NUMBER: _ClassVar[int]
    host: str
    port: int
    security: str
    username: str
    def __init__(self, host: _Optional[str] = ..., port: _Optional[int] = ..., security: _Optional[str] = ..., username: _Optional[str] = ...) -> None: ...

class OAuth(_message.Message):
    __slots__ = ("app", "user", "expire_us")
    APP_FIELD_NUMBER: _ClassVar[int]
    USER_FIELD_NUMBER: _ClassVar[int]
    EXPIRE_US_FIELD_NUMBER: _ClassVar[int]
    app: str
    user: str
    expire_us: int
    def __init__(self, app: _Optional[str] = ..., user: _Optional[str] = ..., expire_us: _Optional[int] = ...) -> None: ...

class Account(_message.Message):
    __slots__ = ("email", "display_name", "kind", "imap", "smtp", "oauth", "mailbox_roles", "watched_mailboxes", "live_mailboxes", "sent_copy", "relay", "labels", "paused", "create_us", "update_us", "profile")
    class MailboxRolesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    class LabelsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    EMAIL_FIELD_NUMBER: _ClassVar[int]
    DISPLAY_NAME_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    IMAP_FIELD_NUMBER: _ClassVar[int]
    SMTP_FIELD_NUMBER: _ClassVar[int]
    OAUTH_FIELD_NUMBER: _ClassVar[int]
    MAILBOX_ROLES_FIELD_NUMBER: _ClassVar[int]
    WATCHED_MAILBOXES_FIELD_NUMBER: _ClassVar[int]
    LIVE_MAILBOXES_FIELD_NUMBER: _ClassVar[int]
    SENT_COPY_FIELD_NUMBER: _ClassVar[int]
    RELAY_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    PAUSED_FIELD_NUMBER: _ClassVar[int]
    CREATE_US_FIELD_NUMBER: _ClassVar[int]
    UPDATE_US_FIELD_NUMBER: _ClassVar[int]
    PROFILE_FIELD_NUMBER: _ClassVar[int]
    email: str
    display_name: str
    kind: str
    imap: Server
    smtp: Server
    oauth: OAuth
    mailbox_roles: _containers.ScalarMap[str, str]
    watched_mailboxes: _containers.RepeatedScalarFieldContainer[str]
    live_mailboxes: _containers.RepeatedScalarFieldContainer[str]
    sent_copy: str
    relay: str
    labels: _containers.ScalarMap[str, str]
    paused: bool
    create_us: int
    update_us: int
    profile: str
    def __init__(self, email: _Optional[str] = ..., display_name: _Optional[str] = ..., kind: _Optional[str] = ..., imap: _Optional[_Union[Server, _Mapping]] = ..., smtp: _Optional[_Union[Server, _Mapping]] = ..., oauth: _Optional[_Union[OAuth, _Mapping]] = ..., mailbox_roles: _Optional[_Mapping[str, str]] = ..., watched_mailboxes: _Optional[_Iterable[str]] = ..., live_mailboxes: _Optional[_Iterable[str]] = ..., sent_copy: _Optional[str] = ..., relay: _Optional[str] = ..., labels: _Optional[_Mapping[str, str]] = ..., paused: _Optional[bool] = ..., create_us: _Optional[int] = ..., update_us: _Optional[int] = ..., profile: _Optional[str] = ...) -> None: ...

class Capabilities(_message.Message):
    __slots__ = ("shown",)
    SHOWN_FIELD_NUMBER: _ClassVar[int]
    shown: str
    def __init__(self, shown: _Optional[str] = ...) -> None: ...

class Recipient(_message.Message):
    __slots__ = ("address", "state", "reply")
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    REPLY_FIELD_NUMBER: _ClassVar[int]
    address: str
    state: str
    reply: str
    def __init__(self, address: _Optional[str] = ..., state: _Optional[str] = ..., reply: _Optional[str] = ...) -> None: ...

class Attempt(_message.Message):
    __slots__ = ("time_us", "reply", "enhanced_status")
    TIME_US_FIELD_NUMBER: _ClassVar[int]
    REPLY_FIELD_NUMBER: _ClassVar[int]
    ENHANCED_STATUS_FIELD_NUMBER: _ClassVar[int]
    time_us: int
    reply: str
    enhanced_status: str
    def __init__(self, time_us: _Optional[int] = ..., reply: _Optional[str] = ..., enhanced_status: _Optional[str] = ...) -> None: ...

class Submission(_message.Message):
    __slots__ = ("sender", "envelope_recipients", "internet_message_id", "subject", "size_bytes", "recipients", "attempts", "request_id", "send_us", "next_attempt_us", "create_us", "update_us", "relayed_message_id", "sent_message", "sent_copy_error")
    SENDER_FIELD_NUMBER: _ClassVar[int]
    ENVELOPE_RECIPIENTS_FIELD_NUMBER: _ClassVar[int]
    INTERNET_MESSAGE_ID_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    SIZE_BYTES_FIELD_NUMBER: _ClassVar[int]
    RECIPIENTS_FIELD_NUMBER: _ClassVar[int]
    ATTEMPTS_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    SEND_US_FIELD_NUMBER: _ClassVar[int]
    NEXT_ATTEMPT_US_FIELD_NUMBER: _ClassVar[int]
    CREATE_US_FIELD_NUMBER: _ClassVar[int]
    UPDATE_US_FIELD_NUMBER: _ClassVar[int]
    RELAYED_MESSAGE_ID_FIELD_NUMBER: _ClassVar[int]
    SENT_MESSAGE_FIELD_NUMBER: _ClassVar[int]
    SENT_COPY_ERROR_FIELD_NUMBER: _ClassVar[int]
    sender: str
    envelope_recipients: _containers.RepeatedScalarFieldContainer[str]
    internet_message_id: str
    subject: str
    size_bytes: int
    recipients: _containers.RepeatedCompositeFieldContainer[Recipient]
    attempts: _containers.RepeatedCompositeFieldContainer[Attempt]
    request_id: str
    send_us: int
    next_attempt_us: int
    create_us: int
    update_us: int
    relayed_message_id: str
    sent_message: str
    sent_copy_error: str
    def __init__(self, sender: _Optional[str] = ..., envelope_recipients: _Optional[_Iterable[str]] = ..., internet_message_id: _Optional[str] = ..., subject: _Optional[str] = ..., size_bytes: _Optional[int] = ..., recipients: _Optional[_Iterable[_Union[Recipient, _Mapping]]] = ..., attempts: _Optional[_Iterable[_Union[Attempt, _Mapping]]] = ..., request_id: _Optional[str] = ..., send_us: _Optional[int] = ..., next_attempt_us: _Optional[int] = ..., create_us: _Optional[int] = ..., update_us: _Optional[int] = ..., relayed_message_id: _Optional[str] = ..., sent_message: _Optional[str] = ..., sent_copy_error: _Optional[str] = ...) -> None: ...

class Token(_message.Message):
    __slots__ = ("display_name", "scopes", "accounts", "create_us", "expire_us")
    DISPLAY_NAME_FIELD_NUMBER: _ClassVar[int]
    SCOPES_FIELD_NUMBER: _ClassVar[int]
    ACCOUNTS_FIELD_NUMBER: _ClassVar[int]
    CREATE_US_FIELD_NUMBER: _ClassVar[int]
    EXPIRE_US_FIELD_NUMBER: _ClassVar[int]
    display_name: str
    scopes: _containers.RepeatedScalarFieldContainer[str]
    accounts: _containers.RepeatedScalarFieldContainer[str]
    create_us: int
    expire_us: int
    def __init__(self, display_name: _Optional[str] = ..., scopes: _Optional[_Iterable[str]] = ..., accounts: _Optional[_Iterable[str]] = ..., create_us: _Optional[int] = ..., expire_us: _Optional[int] = ...) -> None: ...

class Heartbeat(_message.Message):
    __slots__ = ("address", "seen")
    class SeenEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    SEEN_FIELD_NUMBER: _ClassVar[int]
    address: str
    seen: _containers.ScalarMap[str, str]
    def __init__(self, address: _Optional[str] = ..., seen: _Optional[_Mapping[str, str]] = ...) -> None: ...
