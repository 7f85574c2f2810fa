from google.api import annotations_pb2 as _annotations_pb2
from google.api import field_behavior_pb2 as _field_behavior_pb2
from google.api import resource_pb2 as _resource_pb2
from postroom.v1 import suppression_entry_pb2 as _suppression_entry_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class CreateSuppressionEntryRequest(_message.Message):
    __slots__ = ("parent", "entry")
    PARENT_FIELD_NUMBER: _ClassVar[int]
    ENTRY_FIELD_NUMBER: _ClassVar[int]
    parent: str
    entry: _suppression_entry_pb2.SuppressionEntry
    def __init__(self, parent: _Optional[str] = ..., entry: _Optional[_Union[_suppression_entry_pb2.SuppressionEntry, _Mapping]] = ...) -> None: ...

class CreateSuppressionEntryResponse(_message.Message):
    __slots__ = ("entry",)
    ENTRY_FIELD_NUMBER: _ClassVar[int]
    entry: _suppression_entry_pb2.SuppressionEntry
    def __init__(self, entry: _Optional[_Union[_suppression_entry_pb2.SuppressionEntry, _Mapping]] = ...) -> None: ...

class GetSuppressionEntryRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class GetSuppressionEntryResponse(_message.Message):
    __slots__ = ("entry",)
    ENTRY_FIELD_NUMBER: _ClassVar[int]
    entry: _suppression_entry_pb2.SuppressionEntry
    def __init__(self, entry: _Optional[_Union[_suppression_entry_pb2.SuppressionEntry, _Mapping]] = ...) -> None: ...

class ListSuppressionEntriesRequest(_message.Message):
    __slots__ = ("parent", "page_size", "page_token", "address")
    PARENT_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    parent: str
    page_size: int
    page_token: str
    address: str
    def __init__(self, parent: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., address: _Optional[str] = ...) -> None: ...

class ListSuppressionEntriesResponse(_message.Message):
    __slots__ = ("entries", "next_page_token")
    ENTRIES_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    entries: _containers.RepeatedCompositeFieldContainer[_suppression_entry_pb2.SuppressionEntry]
    next_page_token: str
    def __init__(self, entries: _Optional[_Iterable[_Union[_suppression_entry_pb2.SuppressionEntry, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class DeleteSuppressionEntryRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class DeleteSuppressionEntryResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...
