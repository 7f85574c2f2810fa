import datetime

from google.api import field_behavior_pb2 as _field_behavior_pb2
from google.api import httpbody_pb2 as _httpbody_pb2
from google.api import resource_pb2 as _resource_pb2
from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.rpc import status_pb2 as _status_pb2
from postroom.v1 import account_pb2 as _account_pb2
from postroom.v1 import account_explanation_pb2 as _account_explanation_pb2
from postroom.v1 import capabilities_pb2 as _capabilities_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class VerifyAccountRequest(_message.Message):
    __slots__ = ("account",)
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    account: _account_pb2.Account
    def __init__(self, account: _Optional[_Union[_account_pb2.Account, _Mapping]] = ...) -> None: ...

class VerifyAccountResponse(_message.Message):
    __slots__ = ("results",)
    class Result(_message.Message):
        __slots__ = ("protocol", "ok", "error", "duration", "capabilities")
        class Protocol(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
            __slots__ = ()
            PROTOCOL_UNSPECIFIED: _ClassVar[VerifyAccountResponse.Result.Protocol]
            IMAP: _ClassVar[VerifyAccountResponse.Result.Protocol]
            SMTP: _ClassVar[VerifyAccountResponse.Result.Protocol]
            API: _ClassVar[VerifyAccountResponse.Result.Protocol]
        PROTOCOL_UNSPECIFIED: VerifyAccountResponse.Result.Protocol
        IMAP: VerifyAccountResponse.Result.Protocol
        SMTP: VerifyAccountResponse.Result.Protocol
        API: VerifyAccountResponse.Result.Protocol
        PROTOCOL_FIELD_NUMBER: _ClassVar[int]
        OK_FIELD_NUMBER: _ClassVar[int]
        ERROR_FIELD_NUMBER: _ClassVar[int]
        DURATION_FIELD_NUMBER: _ClassVar[int]
        CAPABILITIES_FIELD_NUMBER: _ClassVar[int]
        protocol: VerifyAccountResponse.Result.Protocol
        ok: bool
        error: _status_pb2.Status
        duration: _duration_pb2.Duration
        capabilities: _capabilities_pb2.Capabilities
        def __init__(self, protocol: _Optional[_Union[VerifyAccountResponse.Result.Protocol, str]] = ..., ok: _Optional[bool] = ..., error: _Optional[_Union[_status_pb2.Status, _Mapping]] = ..., duration: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., capabilities: _Optional[_Union[_capabilities_pb2.Capabilities, _Mapping]] = ...) -> None: ...
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    results: _containers.RepeatedCompositeFieldContainer[VerifyAccountResponse.Result]
    def __init__(self, results: _Optional[_Iterable[_Union[VerifyAccountResponse.Result, _Mapping]]] = ...) -> None: ...

class DiscoverSettingsRequest(_message.Message):
    __slots__ = ("email",)
    EMAIL_FIELD_NUMBER: _ClassVar[int]
    email: str
    def __init__(self, email: _Optional[str] = ...) -> None: ...

class DiscoverSettingsResponse(_message.Message):
    __slots__ = ("candidates", "answered")
    class Candidate(_message.Message):
        __slots__ = ("source", "provider", "imap", "smtp", "oauth_required")
        class Source(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
            __slots__ = ()
            SOURCE_UNSPECIFIED: _ClassVar[DiscoverSettingsResponse.Candidate.Source]
            PROVIDER: _ClassVar[DiscoverSettingsResponse.Candidate.Source]
            SRV: _ClassVar[DiscoverSettingsResponse.Candidate.Source]
            AUTOCONFIG: _ClassVar[DiscoverSettingsResponse.Candidate.Source]
        SOURCE_UNSPECIFIED: DiscoverSettingsResponse.Candidate.Source
        PROVIDER: DiscoverSettingsResponse.Candidate.Source
        SRV: DiscoverSettingsResponse.Candidate.Source
        AUTOCONFIG: DiscoverSettingsResponse.Candidate.Source
        SOURCE_FIELD_NUMBER: _ClassVar[int]
        PROVIDER_FIELD_NUMBER: _ClassVar[int]
        IMAP_FIELD_NUMBER: _ClassVar[int]
        SMTP_FIELD_NUMBER: _ClassVar[int]
        OAUTH_REQUIRED_FIELD_NUMBER: _ClassVar[int]
        source: DiscoverSettingsResponse.Candidate.Source
        provider: str
        imap: _account_pb2.MailServer
        smtp: _account_pb2.MailServer
        oauth_required: bool
        def __init__(self, source: _Optional[_Union[DiscoverSettingsResponse.Candidate.Source, str]] = ..., provider: _Optional[str] = ..., imap: _Optional[_Union[_account_pb2.MailServer, _Mapping]] = ..., smtp: _Optional[_Union[_account_pb2.MailServer, _Mapping]] = ..., oauth_required: _Optional[bool] = ...) -> None: ...
    CANDIDATES_FIELD_NUMBER: _ClassVar[int]
    ANSWERED_FIELD_NUMBER: _ClassVar[int]
    candidates: _containers.RepeatedCompositeFieldContainer[DiscoverSettingsResponse.Candidate]
    answered: _containers.RepeatedScalarFieldContainer[DiscoverSettingsResponse.Candidate.Source]
    def __init__(self, candidates: _Optional[_Iterable[_Union[DiscoverSettingsResponse.Candidate, _Mapping]]] = ..., answered: _Optional[_Iterable[_Union[DiscoverSettingsResponse.Candidate.Source, str]]] = ...) -> None: ...

class ReconnectAccountRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class ReconnectAccountResponse(_message.Message):
    __slots__ = ("account",)
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    account: _account_pb2.Account
    def __init__(self, account: _Optional[_Union[_account_pb2.Account, _Mapping]] = ...) -> None: ...

class SyncAccountRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class SyncAccountResponse(_message.Message):
    __slots__ = ("account",)
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    account: _account_pb2.Account
    def __init__(self, account: _Optional[_Union[_account_pb2.Account, _Mapping]] = ...) -> None: ...

class ResetAccountRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class ResetAccountResponse(_message.Message):
    __slots__ = ("account",)
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    account: _account_pb2.Account
    def __init__(self, account: _Optional[_Union[_account_pb2.Account, _Mapping]] = ...) -> None: ...

class PauseAccountRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class PauseAccountResponse(_message.Message):
    __slots__ = ("account",)
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    account: _account_pb2.Account
    def __init__(self, account: _Optional[_Union[_account_pb2.Account, _Mapping]] = ...) -> None: ...

class ResumeAccountRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class ResumeAccountResponse(_message.Message):
    __slots__ = ("account",)
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    account: _account_pb2.Account
    def __init__(self, account: _Optional[_Union[_account_pb2.Account, _Mapping]] = ...) -> None: ...

class ExplainAccountRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class ExplainAccountResponse(_message.Message):
    __slots__ = ("explanation",)
    EXPLANATION_FIELD_NUMBER: _ClassVar[int]
    explanation: _account_explanation_pb2.AccountExplanation
    def __init__(self, explanation: _Optional[_Union[_account_explanation_pb2.AccountExplanation, _Mapping]] = ...) -> None: ...

class DownloadAccountLogRequest(_message.Message):
    __slots__ = ("name", "follow", "max_lines")
    NAME_FIELD_NUMBER: _ClassVar[int]
    FOLLOW_FIELD_NUMBER: _ClassVar[int]
    MAX_LINES_FIELD_NUMBER: _ClassVar[int]
    name: str
    follow: bool
    max_lines: int
    def __init__(self, name: _Optional[str] = ..., follow: _Optional[bool] = ..., max_lines: _Optional[int] = ...) -> None: ...

class DownloadAccountLogResponse(_message.Message):
    __slots__ = ("body",)
    BODY_FIELD_NUMBER: _ClassVar[int]
    body: _httpbody_pb2.HttpBody
    def __init__(self, body: _Optional[_Union[_httpbody_pb2.HttpBody, _Mapping]] = ...) -> None: ...

class AuthorizeAccountRequest(_message.Message):
    __slots__ = ("app", "account_id", "account", "redirect_url")
    APP_FIELD_NUMBER: _ClassVar[int]
    ACCOUNT_ID_FIELD_NUMBER: _ClassVar[int]
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    REDIRECT_URL_FIELD_NUMBER: _ClassVar[int]
    app: str
    account_id: str
    account: _account_pb2.Account
    redirect_url: str
    def __init__(self, app: _Optional[str] = ..., account_id: _Optional[str] = ..., account: _Optional[_Union[_account_pb2.Account, _Mapping]] = ..., redirect_url: _Optional[str] = ...) -> None: ...

class AuthorizeAccountResponse(_message.Message):
    __slots__ = ("url", "expire_time")
    URL_FIELD_NUMBER: _ClassVar[int]
    EXPIRE_TIME_FIELD_NUMBER: _ClassVar[int]
    url: str
    expire_time: _timestamp_pb2.Timestamp
    def __init__(self, url: _Optional[str] = ..., expire_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...
