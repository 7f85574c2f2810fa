from google.api import annotations_pb2 as _annotations_pb2
from google.api import field_behavior_pb2 as _field_behavior_pb2
from google.api import resource_pb2 as _resource_pb2
from google.protobuf import field_mask_pb2 as _field_mask_pb2
from postroom.v1 import relay_pb2 as _relay_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class CreateRelayRequest(_message.Message):
    __slots__ = ("relay_id", "relay")
    RELAY_ID_FIELD_NUMBER: _ClassVar[int]
    RELAY_FIELD_NUMBER: _ClassVar[int]
    relay_id: str
    relay: _relay_pb2.Relay
    def __init__(self, relay_id: _Optional[str] = ..., relay: _Optional[_Union[_relay_pb2.Relay, _Mapping]] = ...) -> None: ...

class CreateRelayResponse(_message.Message):
    __slots__ = ("relay",)
    RELAY_FIELD_NUMBER: _ClassVar[int]
    relay: _relay_pb2.Relay
    def __init__(self, relay: _Optional[_Union[_relay_pb2.Relay, _Mapping]] = ...) -> None: ...

class GetRelayRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class GetRelayResponse(_message.Message):
    __slots__ = ("relay",)
    RELAY_FIELD_NUMBER: _ClassVar[int]
    relay: _relay_pb2.Relay
    def __init__(self, relay: _Optional[_Union[_relay_pb2.Relay, _Mapping]] = ...) -> None: ...

class ListRelaysRequest(_message.Message):
    __slots__ = ("page_size", "page_token")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListRelaysResponse(_message.Message):
    __slots__ = ("relays", "next_page_token")
    RELAYS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    relays: _containers.RepeatedCompositeFieldContainer[_relay_pb2.Relay]
    next_page_token: str
    def __init__(self, relays: _Optional[_Iterable[_Union[_relay_pb2.Relay, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class UpdateRelayRequest(_message.Message):
    __slots__ = ("relay", "update_mask")
    RELAY_FIELD_NUMBER: _ClassVar[int]
    UPDATE_MASK_FIELD_NUMBER: _ClassVar[int]
    relay: _relay_pb2.Relay
    update_mask: _field_mask_pb2.FieldMask
    def __init__(self, relay: _Optional[_Union[_relay_pb2.Relay, _Mapping]] = ..., update_mask: _Optional[_Union[_field_mask_pb2.FieldMask, _Mapping]] = ...) -> None: ...

class UpdateRelayResponse(_message.Message):
    __slots__ = ("relay",)
    RELAY_FIELD_NUMBER: _ClassVar[int]
    relay: _relay_pb2.Relay
    def __init__(self, relay: _Optional[_Union[_relay_pb2.Relay, _Mapping]] = ...) -> None: ...

class DeleteRelayRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class DeleteRelayResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...
