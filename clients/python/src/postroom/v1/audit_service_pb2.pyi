from google.api import annotations_pb2 as _annotations_pb2
from google.api import field_behavior_pb2 as _field_behavior_pb2
from google.api import resource_pb2 as _resource_pb2
from postroom.v1 import audit_pb2 as _audit_pb2
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class AuditMailboxRequest(_message.Message):
    __slots__ = ("name", "repair")
    NAME_FIELD_NUMBER: _ClassVar[int]
    REPAIR_FIELD_NUMBER: _ClassVar[int]
    name: str
    repair: bool
    def __init__(self, name: _Optional[str] = ..., repair: _Optional[bool] = ...) -> None: ...

class AuditMailboxResponse(_message.Message):
    __slots__ = ("audit",)
    AUDIT_FIELD_NUMBER: _ClassVar[int]
    audit: _audit_pb2.MailboxAudit
    def __init__(self, audit: _Optional[_Union[_audit_pb2.MailboxAudit, _Mapping]] = ...) -> None: ...
