from google.api import annotations_pb2 as _annotations_pb2
from google.api import field_behavior_pb2 as _field_behavior_pb2
from google.api import resource_pb2 as _resource_pb2
from google.protobuf import field_mask_pb2 as _field_mask_pb2
from postroom.v1 import oauth_app_pb2 as _oauth_app_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class CreateOAuthAppRequest(_message.Message):
    __slots__ = ("oauth_app_id", "oauth_app")
    OAUTH_APP_ID_FIELD_NUMBER: _ClassVar[int]
    OAUTH_APP_FIELD_NUMBER: _ClassVar[int]
    oauth_app_id: str
    oauth_app: _oauth_app_pb2.OAuthApp
    def __init__(self, oauth_app_id: _Optional[str] = ..., oauth_app: _Optional[_Union[_oauth_app_pb2.OAuthApp, _Mapping]] = ...) -> None: ...

class CreateOAuthAppResponse(_message.Message):
    __slots__ = ("oauth_app",)
    OAUTH_APP_FIELD_NUMBER: _ClassVar[int]
    oauth_app: _oauth_app_pb2.OAuthApp
    def __init__(self, oauth_app: _Optional[_Union[_oauth_app_pb2.OAuthApp, _Mapping]] = ...) -> None: ...

class GetOAuthAppRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class GetOAuthAppResponse(_message.Message):
    __slots__ = ("oauth_app",)
    OAUTH_APP_FIELD_NUMBER: _ClassVar[int]
    oauth_app: _oauth_app_pb2.OAuthApp
    def __init__(self, oauth_app: _Optional[_Union[_oauth_app_pb2.OAuthApp, _Mapping]] = ...) -> None: ...

class ListOAuthAppsRequest(_message.Message):
    __slots__ = ("page_size", "page_token")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListOAuthAppsResponse(_message.Message):
    __slots__ = ("oauth_apps", "next_page_token")
    OAUTH_APPS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    oauth_apps: _containers.RepeatedCompositeFieldContainer[_oauth_app_pb2.OAuthApp]
    next_page_token: str
    def __init__(self, oauth_apps: _Optional[_Iterable[_Union[_oauth_app_pb2.OAuthApp, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class UpdateOAuthAppRequest(_message.Message):
    __slots__ = ("oauth_app", "update_mask")
    OAUTH_APP_FIELD_NUMBER: _ClassVar[int]
    UPDATE_MASK_FIELD_NUMBER: _ClassVar[int]
    oauth_app: _oauth_app_pb2.OAuthApp
    update_mask: _field_mask_pb2.FieldMask
    def __init__(self, oauth_app: _Optional[_Union[_oauth_app_pb2.OAuthApp, _Mapping]] = ..., update_mask: _Optional[_Union[_field_mask_pb2.FieldMask, _Mapping]] = ...) -> None: ...

class UpdateOAuthAppResponse(_message.Message):
    __slots__ = ("oauth_app",)
    OAUTH_APP_FIELD_NUMBER: _ClassVar[int]
    oauth_app: _oauth_app_pb2.OAuthApp
    def __init__(self, oauth_app: _Optional[_Union[_oauth_app_pb2.OAuthApp, _Mapping]] = ...) -> None: ...

class DeleteOAuthAppRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class DeleteOAuthAppResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...
