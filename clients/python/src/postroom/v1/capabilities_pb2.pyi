from google.api import field_behavior_pb2 as _field_behavior_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Capabilities(_message.Message):
    __slots__ = ("membership", "settable_flags", "keywords", "push", "append", "permanent_delete", "search", "send_only", "raw")
    class Membership(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        MEMBERSHIP_UNSPECIFIED: _ClassVar[Capabilities.Membership]
        ONE: _ClassVar[Capabilities.Membership]
        MANY: _ClassVar[Capabilities.Membership]
    MEMBERSHIP_UNSPECIFIED: Capabilities.Membership
    ONE: Capabilities.Membership
    MANY: Capabilities.Membership
    class Append(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        APPEND_UNSPECIFIED: _ClassVar[Capabilities.Append]
        ANY: _ClassVar[Capabilities.Append]
        DRAFTS: _ClassVar[Capabilities.Append]
        NONE: _ClassVar[Capabilities.Append]
    APPEND_UNSPECIFIED: Capabilities.Append
    ANY: Capabilities.Append
    DRAFTS: Capabilities.Append
    NONE: Capabilities.Append
    class Match(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        MATCH_UNSPECIFIED: _ClassVar[Capabilities.Match]
        EXACT: _ClassVar[Capabilities.Match]
        SUBSTRING: _ClassVar[Capabilities.Match]
        WORD: _ClassVar[Capabilities.Match]
    MATCH_UNSPECIFIED: Capabilities.Match
    EXACT: Capabilities.Match
    SUBSTRING: Capabilities.Match
    WORD: Capabilities.Match
    class SearchEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Capabilities.Match
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Capabilities.Match, str]] = ...) -> None: ...
    MEMBERSHIP_FIELD_NUMBER: _ClassVar[int]
    SETTABLE_FLAGS_FIELD_NUMBER: _ClassVar[int]
    KEYWORDS_FIELD_NUMBER: _ClassVar[int]
    PUSH_FIELD_NUMBER: _ClassVar[int]
    APPEND_FIELD_NUMBER: _ClassVar[int]
    PERMANENT_DELETE_FIELD_NUMBER: _ClassVar[int]
    SEARCH_FIELD_NUMBER: _ClassVar[int]
    SEND_ONLY_FIELD_NUMBER: _ClassVar[int]
    RAW_FIELD_NUMBER: _ClassVar[int]
    membership: Capabilities.Membership
    settable_flags: _containers.RepeatedScalarFieldContainer[str]
    keywords: bool
    push: _containers.RepeatedScalarFieldContainer[str]
    append: Capabilities.Append
    permanent_delete: bool
    search: _containers.ScalarMap[str, Capabilities.Match]
    send_only: bool
    raw: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, membership: _Optional[_Union[Capabilities.Membership, str]] = ..., settable_flags: _Optional[_Iterable[str]] = ..., keywords: _Optional[bool] = ..., push: _Optional[_Iterable[str]] = ..., append: _Optional[_Union[Capabilities.Append, str]] = ..., permanent_delete: _Optional[bool] = ..., search: _Optional[_Mapping[str, Capabilities.Match]] = ..., send_only: _Optional[bool] = ..., raw: _Optional[_Iterable[str]] = ...) -> None: ...
