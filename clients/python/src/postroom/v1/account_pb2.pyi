import datetime

from google.api import field_behavior_pb2 as _field_behavior_pb2
from google.api import resource_pb2 as _resource_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from postroom.v1 import capabilities_pb2 as _capabilities_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Account(_message.Message):
    __slots__ = ("name", "email", "display_name", "imap", "smtp", "oauth", "gmail", "graph", "sandbox", "mailbox_roles", "watched_mailboxes", "live_mailboxes", "sent_copy", "relay", "labels", "state", "last_error", "capabilities", "create_time", "update_time", "etag")
    class State(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        STATE_UNSPECIFIED: _ClassVar[Account.State]
        CONNECTING: _ClassVar[Account.State]
        SYNCING: _ClassVar[Account.State]
        CONNECTED: _ClassVar[Account.State]
        DISCONNECTED: _ClassVar[Account.State]
        AUTH_FAILED: _ClassVar[Account.State]
        UNREACHABLE: _ClassVar[Account.State]
        PAUSED: _ClassVar[Account.State]
    STATE_UNSPECIFIED: Account.State
    CONNECTING: Account.State
    SYNCING: Account.State
    CONNECTED: Account.State
    DISCONNECTED: Account.State
    AUTH_FAILED: Account.State
    UNREACHABLE: Account.State
    PAUSED: Account.State
    class SentCopy(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        SENT_COPY_UNSPECIFIED: _ClassVar[Account.SentCopy]
        AUTO: _ClassVar[Account.SentCopy]
        ALWAYS: _ClassVar[Account.SentCopy]
        NEVER: _ClassVar[Account.SentCopy]
    SENT_COPY_UNSPECIFIED: Account.SentCopy
    AUTO: Account.SentCopy
    ALWAYS: Account.SentCopy
    NEVER: Account.SentCopy
    class MailboxRolesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    class LabelsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    NAME_FIELD_NUMBER: _ClassVar[int]
    EMAIL_FIELD_NUMBER: _ClassVar[int]
    DISPLAY_NAME_FIELD_NUMBER: _ClassVar[int]
    IMAP_FIELD_NUMBER: _ClassVar[int]
    SMTP_FIELD_NUMBER: _ClassVar[int]
    OAUTH_FIELD_NUMBER: _ClassVar[int]
    GMAIL_FIELD_NUMBER: _ClassVar[int]
    GRAPH_FIELD_NUMBER: _ClassVar[int]
    SANDBOX_FIELD_NUMBER: _ClassVar[int]
    MAILBOX_ROLES_FIELD_NUMBER: _ClassVar[int]
    WATCHED_MAILBOXES_FIELD_NUMBER: _ClassVar[int]
    LIVE_MAILBOXES_FIELD_NUMBER: _ClassVar[int]
    SENT_COPY_FIELD_NUMBER: _ClassVar[int]
    RELAY_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    LAST_ERROR_FIELD_NUMBER: _ClassVar[int]
    CAPABILITIES_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    UPDATE_TIME_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    name: str
    email: str
    display_name: str
    imap: MailServer
    smtp: MailServer
    oauth: OAuthGrant
    gmail: GmailSettings
    graph: GraphSettings
    sandbox: SandboxSettings
    mailbox_roles: _containers.ScalarMap[str, str]
    watched_mailboxes: _containers.RepeatedScalarFieldContainer[str]
    live_mailboxes: _containers.RepeatedScalarFieldContainer[str]
    sent_copy: Account.SentCopy
    relay: str
    labels: _containers.ScalarMap[str, str]
    state: Account.State
    last_error: AccountError
    capabilities: _capabilities_pb2.Capabilities
    create_time: _timestamp_pb2.Timestamp
    update_time: _timestamp_pb2.Timestamp
    etag: str
    def __init__(self, name: _Optional[str] = ..., email: _Optional[str] = ..., display_name: _Optional[str] = ..., imap: _Optional[_Union[MailServer, _Mapping]] = ..., smtp: _Optional[_Union[MailServer, _Mapping]] = ..., oauth: _Optional[_Union[OAuthGrant, _Mapping]] = ..., gmail: _Optional[_Union[GmailSettings, _Mapping]] = ..., graph: _Optional[_Union[GraphSettings, _Mapping]] = ..., sandbox: _Optional[_Union[SandboxSettings, _Mapping]] = ..., mailbox_roles: _Optional[_Mapping[str, str]] = ..., watched_mailboxes: _Optional[_Iterable[str]] = ..., live_mailboxes: _Optional[_Iterable[str]] = ..., sent_copy: _Optional[_Union[Account.SentCopy, str]] = ..., relay: _Optional[str] = ..., labels: _Optional[_Mapping[str, str]] = ..., state: _Optional[_Union[Account.State, str]] = ..., last_error: _Optional[_Union[AccountError, _Mapping]] = ..., capabilities: _Optional[_Union[_capabilities_pb2.Capabilities, _Mapping]] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., update_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., etag: _Optional[str] = ...) -> None: ...

class MailServer(_message.Message):
    __slots__ = ("host", "port", "security", "username", "password")
    class Security(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        SECURITY_UNSPECIFIED: _ClassVar[MailServer.Security]
        TLS: _ClassVar[MailServer.Security]
        STARTTLS: _ClassVar[MailServer.Security]
        NONE: _ClassVar[MailServer.Security]
    SECURITY_UNSPECIFIED: MailServer.Security
    TLS: MailServer.Security
    STARTTLS: MailServer.Security
    NONE: MailServer.Security
    HOST_FIELD_NUMBER: _ClassVar[int]
    PORT_FIELD_NUMBER: _ClassVar[int]
    SECURITY_FIELD_NUMBER: _ClassVar[int]
    USERNAME_FIELD_NUMBER: _ClassVar[int]
    PASSWORD_FIELD_NUMBER: _ClassVar[int]
    host: str
    port: int
    security: MailServer.Security
    username: str
    password: str
    def __init__(self, host: _Optional[str] = ..., port: _Optional[int] = ..., security: _Optional[_Union[MailServer.Security, str]] = ..., username: _Optional[str] = ..., password: _Optional[str] = ...) -> None: ...

class OAuthGrant(_message.Message):
    __slots__ = ("app", "user", "refresh_token", "access_token", "expire_time")
    APP_FIELD_NUMBER: _ClassVar[int]
    USER_FIELD_NUMBER: _ClassVar[int]
    REFRESH_TOKEN_FIELD_NUMBER: _ClassVar[int]
    ACCESS_TOKEN_FIELD_NUMBER: _ClassVar[int]
    EXPIRE_TIME_FIELD_NUMBER: _ClassVar[int]
    app: str
    user: str
    refresh_token: str
    access_token: str
    expire_time: _timestamp_pb2.Timestamp
    def __init__(self, app: _Optional[str] = ..., user: _Optional[str] = ..., refresh_token: _Optional[str] = ..., access_token: _Optional[str] = ..., expire_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class GmailSettings(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GraphSettings(_message.Message):
    __slots__ = ("mailbox", "cloud")
    class Cloud(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        CLOUD_UNSPECIFIED: _ClassVar[GraphSettings.Cloud]
        GLOBAL: _ClassVar[GraphSettings.Cloud]
        US_GOV: _ClassVar[GraphSettings.Cloud]
        US_DOD: _ClassVar[GraphSettings.Cloud]
        CHINA: _ClassVar[GraphSettings.Cloud]
    CLOUD_UNSPECIFIED: GraphSettings.Cloud
    GLOBAL: GraphSettings.Cloud
    US_GOV: GraphSettings.Cloud
    US_DOD: GraphSettings.Cloud
    CHINA: GraphSettings.Cloud
    MAILBOX_FIELD_NUMBER: _ClassVar[int]
    CLOUD_FIELD_NUMBER: _ClassVar[int]
    mailbox: str
    cloud: GraphSettings.Cloud
    def __init__(self, mailbox: _Optional[str] = ..., cloud: _Optional[_Union[GraphSettings.Cloud, str]] = ...) -> None: ...

class SandboxSettings(_message.Message):
    __slots__ = ("profile",)
    class Profile(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        PROFILE_UNSPECIFIED: _ClassVar[SandboxSettings.Profile]
        IMAP: _ClassVar[SandboxSettings.Profile]
        GMAIL: _ClassVar[SandboxSettings.Profile]
        GRAPH: _ClassVar[SandboxSettings.Profile]
    PROFILE_UNSPECIFIED: SandboxSettings.Profile
    IMAP: SandboxSettings.Profile
    GMAIL: SandboxSettings.Profile
    GRAPH: SandboxSettings.Profile
    PROFILE_FIELD_NUMBER: _ClassVar[int]
    profile: SandboxSettings.Profile
    def __init__(self, profile: _Optional[_Union[SandboxSettings.Profile, str]] = ...) -> None: ...

class AccountError(_message.Message):
    __slots__ = ("reason", "message", "time")
    REASON_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    TIME_FIELD_NUMBER: _ClassVar[int]
    reason: str
    message: str
    time: _timestamp_pb2.Timestamp
    def __init__(self, reason: _Optional[str] = ..., message: _Optional[str] = ..., time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...
