import datetime

from google.api import field_behavior_pb2 as _field_behavior_pb2
from google.api import resource_pb2 as _resource_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from postroom.v1 import capabilities_pb2 as _capabilities_pb2
from postroom.v1 import message_pb2 as _message_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class SearchFilter(_message.Message):
    __slots__ = ("operator", "filters", "condition")
    class Operator(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        OPERATOR_UNSPECIFIED: _ClassVar[SearchFilter.Operator]
        AND: _ClassVar[SearchFilter.Operator]
        OR: _ClassVar[SearchFilter.Operator]
        NOT: _ClassVar[SearchFilter.Operator]
    OPERATOR_UNSPECIFIED: SearchFilter.Operator
    AND: SearchFilter.Operator
    OR: SearchFilter.Operator
    NOT: SearchFilter.Operator
    OPERATOR_FIELD_NUMBER: _ClassVar[int]
    FILTERS_FIELD_NUMBER: _ClassVar[int]
    CONDITION_FIELD_NUMBER: _ClassVar[int]
    operator: SearchFilter.Operator
    filters: _containers.RepeatedCompositeFieldContainer[SearchFilter]
    condition: SearchCondition
    def __init__(self, operator: _Optional[_Union[SearchFilter.Operator, str]] = ..., filters: _Optional[_Iterable[_Union[SearchFilter, _Mapping]]] = ..., condition: _Optional[_Union[SearchCondition, _Mapping]] = ...) -> None: ...

class SearchCondition(_message.Message):
    __slots__ = ("from_address", "to", "cc", "bcc", "subject", "body", "text", "header", "has_flag", "not_flag", "after", "before", "sent_after", "sent_before", "min_size", "max_size", "has_attachment", "thread_id", "internet_message_id", "uid", "raw_query")
    FROM_ADDRESS_FIELD_NUMBER: _ClassVar[int]
    TO_FIELD_NUMBER: _ClassVar[int]
    CC_FIELD_NUMBER: _ClassVar[int]
    BCC_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    BODY_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    HEADER_FIELD_NUMBER: _ClassVar[int]
    HAS_FLAG_FIELD_NUMBER: _ClassVar[int]
    NOT_FLAG_FIELD_NUMBER: _ClassVar[int]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    BEFORE_FIELD_NUMBER: _ClassVar[int]
    SENT_AFTER_FIELD_NUMBER: _ClassVar[int]
    SENT_BEFORE_FIELD_NUMBER: _ClassVar[int]
    MIN_SIZE_FIELD_NUMBER: _ClassVar[int]
    MAX_SIZE_FIELD_NUMBER: _ClassVar[int]
    HAS_ATTACHMENT_FIELD_NUMBER: _ClassVar[int]
    THREAD_ID_FIELD_NUMBER: _ClassVar[int]
    INTERNET_MESSAGE_ID_FIELD_NUMBER: _ClassVar[int]
    UID_FIELD_NUMBER: _ClassVar[int]
    RAW_QUERY_FIELD_NUMBER: _ClassVar[int]
    from_address: str
    to: str
    cc: str
    bcc: str
    subject: str
    body: str
    text: str
    header: _message_pb2.Header
    has_flag: str
    not_flag: str
    after: _timestamp_pb2.Timestamp
    before: _timestamp_pb2.Timestamp
    sent_after: _timestamp_pb2.Timestamp
    sent_before: _timestamp_pb2.Timestamp
    min_size: int
    max_size: int
    has_attachment: bool
    thread_id: str
    internet_message_id: str
    uid: str
    raw_query: str
    def __init__(self, from_address: _Optional[str] = ..., to: _Optional[str] = ..., cc: _Optional[str] = ..., bcc: _Optional[str] = ..., subject: _Optional[str] = ..., body: _Optional[str] = ..., text: _Optional[str] = ..., header: _Optional[_Union[_message_pb2.Header, _Mapping]] = ..., has_flag: _Optional[str] = ..., not_flag: _Optional[str] = ..., after: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., before: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., sent_after: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., sent_before: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., min_size: _Optional[int] = ..., max_size: _Optional[int] = ..., has_attachment: _Optional[bool] = ..., thread_id: _Optional[str] = ..., internet_message_id: _Optional[str] = ..., uid: _Optional[str] = ..., raw_query: _Optional[str] = ...) -> None: ...

class SearchCoverage(_message.Message):
    __slots__ = ("condition", "answered_by", "match", "complete")
    class AnsweredBy(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        ANSWERED_BY_UNSPECIFIED: _ClassVar[SearchCoverage.AnsweredBy]
        SERVER: _ClassVar[SearchCoverage.AnsweredBy]
        SNAPSHOT: _ClassVar[SearchCoverage.AnsweredBy]
        POST_FILTER: _ClassVar[SearchCoverage.AnsweredBy]
    ANSWERED_BY_UNSPECIFIED: SearchCoverage.AnsweredBy
    SERVER: SearchCoverage.AnsweredBy
    SNAPSHOT: SearchCoverage.AnsweredBy
    POST_FILTER: SearchCoverage.AnsweredBy
    CONDITION_FIELD_NUMBER: _ClassVar[int]
    ANSWERED_BY_FIELD_NUMBER: _ClassVar[int]
    MATCH_FIELD_NUMBER: _ClassVar[int]
    COMPLETE_FIELD_NUMBER: _ClassVar[int]
    condition: str
    answered_by: SearchCoverage.AnsweredBy
    match: _capabilities_pb2.Capabilities.Match
    complete: bool
    def __init__(self, condition: _Optional[str] = ..., answered_by: _Optional[_Union[SearchCoverage.AnsweredBy, str]] = ..., match: _Optional[_Union[_capabilities_pb2.Capabilities.Match, str]] = ..., complete: _Optional[bool] = ...) -> None: ...

class SearchMessagesRequest(_message.Message):
    __slots__ = ("parent", "mailboxes", "filter", "view", "page_size", "page_token", "accounts")
    PARENT_FIELD_NUMBER: _ClassVar[int]
    MAILBOXES_FIELD_NUMBER: _ClassVar[int]
    FILTER_FIELD_NUMBER: _ClassVar[int]
    VIEW_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    ACCOUNTS_FIELD_NUMBER: _ClassVar[int]
    parent: str
    mailboxes: _containers.RepeatedScalarFieldContainer[str]
    filter: SearchFilter
    view: _message_pb2.Message.View
    page_size: int
    page_token: str
    accounts: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, parent: _Optional[str] = ..., mailboxes: _Optional[_Iterable[str]] = ..., filter: _Optional[_Union[SearchFilter, _Mapping]] = ..., view: _Optional[_Union[_message_pb2.Message.View, str]] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., accounts: _Optional[_Iterable[str]] = ...) -> None: ...

class SearchMessagesResponse(_message.Message):
    __slots__ = ("messages", "next_page_token", "coverage")
    MESSAGES_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    COVERAGE_FIELD_NUMBER: _ClassVar[int]
    messages: _containers.RepeatedCompositeFieldContainer[_message_pb2.Message]
    next_page_token: str
    coverage: _containers.RepeatedCompositeFieldContainer[SearchCoverage]
    def __init__(self, messages: _Optional[_Iterable[_Union[_message_pb2.Message, _Mapping]]] = ..., next_page_token: _Optional[str] = ..., coverage: _Optional[_Iterable[_Union[SearchCoverage, _Mapping]]] = ...) -> None: ...
