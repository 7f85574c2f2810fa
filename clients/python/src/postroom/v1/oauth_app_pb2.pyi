import datetime

from google.api import field_behavior_pb2 as _field_behavior_pb2
from google.api import resource_pb2 as _resource_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from postroom.v1 import account_pb2 as _account_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class OAuthApp(_message.Message):
    __slots__ = ("name", "display_name", "provider", "client_id", "client_secret", "private_key", "scopes", "tenant", "cloud", "endpoints", "redirect_urls", "pubsub_project", "account_count", "last_error", "create_time", "update_time", "etag")
    class Provider(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        PROVIDER_UNSPECIFIED: _ClassVar[OAuthApp.Provider]
        GOOGLE: _ClassVar[OAuthApp.Provider]
        GOOGLE_SERVICE: _ClassVar[OAuthApp.Provider]
        MICROSOFT: _ClassVar[OAuthApp.Provider]
        MICROSOFT_APPLICATION: _ClassVar[OAuthApp.Provider]
        GENERIC: _ClassVar[OAuthApp.Provider]
    PROVIDER_UNSPECIFIED: OAuthApp.Provider
    GOOGLE: OAuthApp.Provider
    GOOGLE_SERVICE: OAuthApp.Provider
    MICROSOFT: OAuthApp.Provider
    MICROSOFT_APPLICATION: OAuthApp.Provider
    GENERIC: OAuthApp.Provider
    class Endpoints(_message.Message):
        __slots__ = ("authorize_url", "token_url")
        AUTHORIZE_URL_FIELD_NUMBER: _ClassVar[int]
        TOKEN_URL_FIELD_NUMBER: _ClassVar[int]
        authorize_url: str
        token_url: str
        def __init__(self, authorize_url: _Optional[str] = ..., token_url: _Optional[str] = ...) -> None: ...
    NAME_FIELD_NUMBER: _ClassVar[int]
    DISPLAY_NAME_FIELD_NUMBER: _ClassVar[int]
    PROVIDER_FIELD_NUMBER: _ClassVar[int]
    CLIENT_ID_FIELD_NUMBER: _ClassVar[int]
    CLIENT_SECRET_FIELD_NUMBER: _ClassVar[int]
    PRIVATE_KEY_FIELD_NUMBER: _ClassVar[int]
    SCOPES_FIELD_NUMBER: _ClassVar[int]
    TENANT_FIELD_NUMBER: _ClassVar[int]
    CLOUD_FIELD_NUMBER: _ClassVar[int]
    ENDPOINTS_FIELD_NUMBER: _ClassVar[int]
    REDIRECT_URLS_FIELD_NUMBER: _ClassVar[int]
    PUBSUB_PROJECT_FIELD_NUMBER: _ClassVar[int]
    ACCOUNT_COUNT_FIELD_NUMBER: _ClassVar[int]
    LAST_ERROR_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    UPDATE_TIME_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    name: str
    display_name: str
    provider: OAuthApp.Provider
    client_id: str
    client_secret: str
    private_key: str
    scopes: _containers.RepeatedScalarFieldContainer[str]
    tenant: str
    cloud: _account_pb2.GraphSettings.Cloud
    endpoints: OAuthApp.Endpoints
    redirect_urls: _containers.RepeatedScalarFieldContainer[str]
    pubsub_project: str
    account_count: int
    last_error: _account_pb2.AccountError
    create_time: _timestamp_pb2.Timestamp
    update_time: _timestamp_pb2.Timestamp
    etag: str
    def __init__(self, name: _Optional[str] = ..., display_name: _Optional[str] = ..., provider: _Optional[_Union[OAuthApp.Provider, str]] = ..., client_id: _Optional[str] = ..., client_secret: _Optional[str] = ..., private_key: _Optional[str] = ..., scopes: _Optional[_Iterable[str]] = ..., tenant: _Optional[str] = ..., cloud: _Optional[_Union[_account_pb2.GraphSettings.Cloud, str]] = ..., endpoints: _Optional[_Union[OAuthApp.Endpoints, _Mapping]] = ..., redirect_urls: _Optional[_Iterable[str]] = ..., pubsub_project: _Optional[str] = ..., account_count: _Optional[int] = ..., last_error: _Optional[_Union[_account_pb2.AccountError, _Mapping]] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., update_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., etag: _Optional[str] = ...) -> None: ...
