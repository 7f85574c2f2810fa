import datetime

from google.api import field_behavior_pb2 as _field_behavior_pb2
from google.api import resource_pb2 as _resource_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Mailbox(_message.Message):
    __slots__ = ("name", "path", "display_name", "delimiter", "role", "role_source", "subscribed", "selectable", "virtual", "message_count", "unseen_count", "watch", "fresh_time", "etag")
    class RoleSource(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        ROLE_SOURCE_UNSPECIFIED: _ClassVar[Mailbox.RoleSource]
        USER: _ClassVar[Mailbox.RoleSource]
        SERVER: _ClassVar[Mailbox.RoleSource]
        NAME: _ClassVar[Mailbox.RoleSource]
    ROLE_SOURCE_UNSPECIFIED: Mailbox.RoleSource
    USER: Mailbox.RoleSource
    SERVER: Mailbox.RoleSource
    NAME: Mailbox.RoleSource
    class Watch(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        WATCH_UNSPECIFIED: _ClassVar[Mailbox.Watch]
        LIVE: _ClassVar[Mailbox.Watch]
        POLLED: _ClassVar[Mailbox.Watch]
        NONE: _ClassVar[Mailbox.Watch]
    WATCH_UNSPECIFIED: Mailbox.Watch
    LIVE: Mailbox.Watch
    POLLED: Mailbox.Watch
    NONE: Mailbox.Watch
    NAME_FIELD_NUMBER: _ClassVar[int]
    PATH_FIELD_NUMBER: _ClassVar[int]
    DISPLAY_NAME_FIELD_NUMBER: _ClassVar[int]
    DELIMITER_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    ROLE_SOURCE_FIELD_NUMBER: _ClassVar[int]
    SUBSCRIBED_FIELD_NUMBER: _ClassVar[int]
    SELECTABLE_FIELD_NUMBER: _ClassVar[int]
    VIRTUAL_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_COUNT_FIELD_NUMBER: _ClassVar[int]
    UNSEEN_COUNT_FIELD_NUMBER: _ClassVar[int]
    WATCH_FIELD_NUMBER: _ClassVar[int]
    FRESH_TIME_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    name: str
    path: str
    display_name: str
    delimiter: str
    role: str
    role_source: Mailbox.RoleSource
    subscribed: bool
    selectable: bool
    virtual: bool
    message_count: int
    unseen_count: int
    watch: Mailbox.Watch
    fresh_time: _timestamp_pb2.Timestamp
    etag: str
    def __init__(self, name: _Optional[str] = ..., path: _Optional[str] = ..., display_name: _Optional[str] = ..., delimiter: _Optional[str] = ..., role: _Optional[str] = ..., role_source: _Optional[_Union[Mailbox.RoleSource, str]] = ..., subscribed: _Optional[bool] = ..., selectable: _Optional[bool] = ..., virtual: _Optional[bool] = ..., message_count: _Optional[int] = ..., unseen_count: _Optional[int] = ..., watch: _Optional[_Union[Mailbox.Watch, str]] = ..., fresh_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., etag: _Optional[str] = ...) -> None: ...
