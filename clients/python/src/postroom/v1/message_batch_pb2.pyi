from google.api import field_behavior_pb2 as _field_behavior_pb2
from google.api import resource_pb2 as _resource_pb2
from google.rpc import status_pb2 as _status_pb2
from postroom.v1 import search_pb2 as _search_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class MessageResult(_message.Message):
    __slots__ = ("name", "result", "error")
    NAME_FIELD_NUMBER: _ClassVar[int]
    RESULT_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    name: str
    result: str
    error: _status_pb2.Status
    def __init__(self, name: _Optional[str] = ..., result: _Optional[str] = ..., error: _Optional[_Union[_status_pb2.Status, _Mapping]] = ...) -> None: ...

class ModifyMessagesRequest(_message.Message):
    __slots__ = ("parent", "names", "filter", "mailboxes", "add_flags", "remove_flags", "add_mailboxes", "remove_mailboxes")
    PARENT_FIELD_NUMBER: _ClassVar[int]
    NAMES_FIELD_NUMBER: _ClassVar[int]
    FILTER_FIELD_NUMBER: _ClassVar[int]
    MAILBOXES_FIELD_NUMBER: _ClassVar[int]
    ADD_FLAGS_FIELD_NUMBER: _ClassVar[int]
    REMOVE_FLAGS_FIELD_NUMBER: _ClassVar[int]
    ADD_MAILBOXES_FIELD_NUMBER: _ClassVar[int]
    REMOVE_MAILBOXES_FIELD_NUMBER: _ClassVar[int]
    parent: str
    names: _containers.RepeatedScalarFieldContainer[str]
    filter: _search_pb2.SearchFilter
    mailboxes: _containers.RepeatedScalarFieldContainer[str]
    add_flags: _containers.RepeatedScalarFieldContainer[str]
    remove_flags: _containers.RepeatedScalarFieldContainer[str]
    add_mailboxes: _containers.RepeatedScalarFieldContainer[str]
    remove_mailboxes: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, parent: _Optional[str] = ..., names: _Optional[_Iterable[str]] = ..., filter: _Optional[_Union[_search_pb2.SearchFilter, _Mapping]] = ..., mailboxes: _Optional[_Iterable[str]] = ..., add_flags: _Optional[_Iterable[str]] = ..., remove_flags: _Optional[_Iterable[str]] = ..., add_mailboxes: _Optional[_Iterable[str]] = ..., remove_mailboxes: _Optional[_Iterable[str]] = ...) -> None: ...

class ModifyMessagesResponse(_message.Message):
    __slots__ = ("results",)
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    results: _containers.RepeatedCompositeFieldContainer[MessageResult]
    def __init__(self, results: _Optional[_Iterable[_Union[MessageResult, _Mapping]]] = ...) -> None: ...

class MoveMessagesRequest(_message.Message):
    __slots__ = ("parent", "names", "filter", "mailboxes", "destination", "source")
    PARENT_FIELD_NUMBER: _ClassVar[int]
    NAMES_FIELD_NUMBER: _ClassVar[int]
    FILTER_FIELD_NUMBER: _ClassVar[int]
    MAILBOXES_FIELD_NUMBER: _ClassVar[int]
    DESTINATION_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    parent: str
    names: _containers.RepeatedScalarFieldContainer[str]
    filter: _search_pb2.SearchFilter
    mailboxes: _containers.RepeatedScalarFieldContainer[str]
    destination: str
    source: str
    def __init__(self, parent: _Optional[str] = ..., names: _Optional[_Iterable[str]] = ..., filter: _Optional[_Union[_search_pb2.SearchFilter, _Mapping]] = ..., mailboxes: _Optional[_Iterable[str]] = ..., destination: _Optional[str] = ..., source: _Optional[str] = ...) -> None: ...

class MoveMessagesResponse(_message.Message):
    __slots__ = ("results",)
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    results: _containers.RepeatedCompositeFieldContainer[MessageResult]
    def __init__(self, results: _Optional[_Iterable[_Union[MessageResult, _Mapping]]] = ...) -> None: ...

class CopyMessagesRequest(_message.Message):
    __slots__ = ("parent", "names", "filter", "mailboxes", "destination")
    PARENT_FIELD_NUMBER: _ClassVar[int]
    NAMES_FIELD_NUMBER: _ClassVar[int]
    FILTER_FIELD_NUMBER: _ClassVar[int]
    MAILBOXES_FIELD_NUMBER: _ClassVar[int]
    DESTINATION_FIELD_NUMBER: _ClassVar[int]
    parent: str
    names: _containers.RepeatedScalarFieldContainer[str]
    filter: _search_pb2.SearchFilter
    mailboxes: _containers.RepeatedScalarFieldContainer[str]
    destination: str
    def __init__(self, parent: _Optional[str] = ..., names: _Optional[_Iterable[str]] = ..., filter: _Optional[_Union[_search_pb2.SearchFilter, _Mapping]] = ..., mailboxes: _Optional[_Iterable[str]] = ..., destination: _Optional[str] = ...) -> None: ...

class CopyMessagesResponse(_message.Message):
    __slots__ = ("results",)
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    results: _containers.RepeatedCompositeFieldContainer[MessageResult]
    def __init__(self, results: _Optional[_Iterable[_Union[MessageResult, _Mapping]]] = ...) -> None: ...

class DeleteMessagesRequest(_message.Message):
    __slots__ = ("parent", "names", "filter", "mailboxes", "permanent")
    PARENT_FIELD_NUMBER: _ClassVar[int]
    NAMES_FIELD_NUMBER: _ClassVar[int]
    FILTER_FIELD_NUMBER: _ClassVar[int]
    MAILBOXES_FIELD_NUMBER: _ClassVar[int]
    PERMANENT_FIELD_NUMBER: _ClassVar[int]
    parent: str
    names: _containers.RepeatedScalarFieldContainer[str]
    filter: _search_pb2.SearchFilter
    mailboxes: _containers.RepeatedScalarFieldContainer[str]
    permanent: bool
    def __init__(self, parent: _Optional[str] = ..., names: _Optional[_Iterable[str]] = ..., filter: _Optional[_Union[_search_pb2.SearchFilter, _Mapping]] = ..., mailboxes: _Optional[_Iterable[str]] = ..., permanent: _Optional[bool] = ...) -> None: ...

class DeleteMessagesResponse(_message.Message):
    __slots__ = ("results",)
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    results: _containers.RepeatedCompositeFieldContainer[MessageResult]
    def __init__(self, results: _Optional[_Iterable[_Union[MessageResult, _Mapping]]] = ...) -> None: ...
