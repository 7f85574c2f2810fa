import datetime

from google.api import field_behavior_pb2 as _field_behavior_pb2
from google.api import resource_pb2 as _resource_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class MailboxAudit(_message.Message):
    __slots__ = ("mailbox", "time", "message_count", "digest", "snapshot_digest", "differences", "difference_count", "repaired")
    class Difference(_message.Message):
        __slots__ = ("kind", "message", "provider_id")
        class Kind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
            __slots__ = ()
            KIND_UNSPECIFIED: _ClassVar[MailboxAudit.Difference.Kind]
            MISSING: _ClassVar[MailboxAudit.Difference.Kind]
            SURPLUS: _ClassVar[MailboxAudit.Difference.Kind]
            FLAGS: _ClassVar[MailboxAudit.Difference.Kind]
            FEED: _ClassVar[MailboxAudit.Difference.Kind]
        KIND_UNSPECIFIED: MailboxAudit.Difference.Kind
        MISSING: MailboxAudit.Difference.Kind
        SURPLUS: MailboxAudit.Difference.Kind
        FLAGS: MailboxAudit.Difference.Kind
        FEED: MailboxAudit.Difference.Kind
        KIND_FIELD_NUMBER: _ClassVar[int]
        MESSAGE_FIELD_NUMBER: _ClassVar[int]
        PROVIDER_ID_FIELD_NUMBER: _ClassVar[int]
        kind: MailboxAudit.Difference.Kind
        message: str
        provider_id: str
        def __init__(self, kind: _Optional[_Union[MailboxAudit.Difference.Kind, str]] = ..., message: _Optional[str] = ..., provider_id: _Optional[str] = ...) -> None: ...
    MAILBOX_FIELD_NUMBER: _ClassVar[int]
    TIME_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_COUNT_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    SNAPSHOT_DIGEST_FIELD_NUMBER: _ClassVar[int]
    DIFFERENCES_FIELD_NUMBER: _ClassVar[int]
    DIFFERENCE_COUNT_FIELD_NUMBER: _ClassVar[int]
    REPAIRED_FIELD_NUMBER: _ClassVar[int]
    mailbox: str
    time: _timestamp_pb2.Timestamp
    message_count: int
    digest: str
    snapshot_digest: str
    differences: _containers.RepeatedCompositeFieldContainer[MailboxAudit.Difference]
    difference_count: int
    repaired: bool
    def __init__(self, mailbox: _Optional[str] = ..., time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., message_count: _Optional[int] = ..., digest: _Optional[str] = ..., snapshot_digest: _Optional[str] = ..., differences: _Optional[_Iterable[_Union[MailboxAudit.Difference, _Mapping]]] = ..., difference_count: _Optional[int] = ..., repaired: _Optional[bool] = ...) -> None: ...
