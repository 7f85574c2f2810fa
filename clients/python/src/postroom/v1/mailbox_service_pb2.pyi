from google.api import annotations_pb2 as _annotations_pb2
from google.api import field_behavior_pb2 as _field_behavior_pb2
from google.api import resource_pb2 as _resource_pb2
from google.protobuf import field_mask_pb2 as _field_mask_pb2
from postroom.v1 import mailbox_pb2 as _mailbox_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class CreateMailboxRequest(_message.Message):
    __slots__ = ("parent", "mailbox")
    PARENT_FIELD_NUMBER: _ClassVar[int]
    MAILBOX_FIELD_NUMBER: _ClassVar[int]
    parent: str
    mailbox: _mailbox_pb2.Mailbox
    def __init__(self, parent: _Optional[str] = ..., mailbox: _Optional[_Union[_mailbox_pb2.Mailbox, _Mapping]] = ...) -> None: ...

class CreateMailboxResponse(_message.Message):
    __slots__ = ("mailbox",)
    MAILBOX_FIELD_NUMBER: _ClassVar[int]
    mailbox: _mailbox_pb2.Mailbox
    def __init__(self, mailbox: _Optional[_Union[_mailbox_pb2.Mailbox, _Mapping]] = ...) -> None: ...

class GetMailboxRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class GetMailboxResponse(_message.Message):
    __slots__ = ("mailbox",)
    MAILBOX_FIELD_NUMBER: _ClassVar[int]
    mailbox: _mailbox_pb2.Mailbox
    def __init__(self, mailbox: _Optional[_Union[_mailbox_pb2.Mailbox, _Mapping]] = ...) -> None: ...

class ListMailboxesRequest(_message.Message):
    __slots__ = ("parent", "with_counts")
    PARENT_FIELD_NUMBER: _ClassVar[int]
    WITH_COUNTS_FIELD_NUMBER: _ClassVar[int]
    parent: str
    with_counts: bool
    def __init__(self, parent: _Optional[str] = ..., with_counts: _Optional[bool] = ...) -> None: ...

class ListMailboxesResponse(_message.Message):
    __slots__ = ("mailboxes",)
    MAILBOXES_FIELD_NUMBER: _ClassVar[int]
    mailboxes: _containers.RepeatedCompositeFieldContainer[_mailbox_pb2.Mailbox]
    def __init__(self, mailboxes: _Optional[_Iterable[_Union[_mailbox_pb2.Mailbox, _Mapping]]] = ...) -> None: ...

class UpdateMailboxRequest(_message.Message):
    __slots__ = ("mailbox", "update_mask")
    MAILBOX_FIELD_NUMBER: _ClassVar[int]
    UPDATE_MASK_FIELD_NUMBER: _ClassVar[int]
    mailbox: _mailbox_pb2.Mailbox
    update_mask: _field_mask_pb2.FieldMask
    def __init__(self, mailbox: _Optional[_Union[_mailbox_pb2.Mailbox, _Mapping]] = ..., update_mask: _Optional[_Union[_field_mask_pb2.FieldMask, _Mapping]] = ...) -> None: ...

class UpdateMailboxResponse(_message.Message):
    __slots__ = ("mailbox",)
    MAILBOX_FIELD_NUMBER: _ClassVar[int]
    mailbox: _mailbox_pb2.Mailbox
    def __init__(self, mailbox: _Optional[_Union[_mailbox_pb2.Mailbox, _Mapping]] = ...) -> None: ...

class DeleteMailboxRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class DeleteMailboxResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...
