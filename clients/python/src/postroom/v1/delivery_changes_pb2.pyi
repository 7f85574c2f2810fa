import datetime

from google.api import field_behavior_pb2 as _field_behavior_pb2
from google.api import resource_pb2 as _resource_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class BounceReceived(_message.Message):
    __slots__ = ("message", "submission", "recipient", "action", "enhanced_status", "reply", "permanent", "internet_message_id")
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    SUBMISSION_FIELD_NUMBER: _ClassVar[int]
    RECIPIENT_FIELD_NUMBER: _ClassVar[int]
    ACTION_FIELD_NUMBER: _ClassVar[int]
    ENHANCED_STATUS_FIELD_NUMBER: _ClassVar[int]
    REPLY_FIELD_NUMBER: _ClassVar[int]
    PERMANENT_FIELD_NUMBER: _ClassVar[int]
    INTERNET_MESSAGE_ID_FIELD_NUMBER: _ClassVar[int]
    message: str
    submission: str
    recipient: str
    action: str
    enhanced_status: str
    reply: str
    permanent: bool
    internet_message_id: str
    def __init__(self, message: _Optional[str] = ..., submission: _Optional[str] = ..., recipient: _Optional[str] = ..., action: _Optional[str] = ..., enhanced_status: _Optional[str] = ..., reply: _Optional[str] = ..., permanent: _Optional[bool] = ..., internet_message_id: _Optional[str] = ...) -> None: ...

class ComplaintReceived(_message.Message):
    __slots__ = ("message", "submission", "recipient", "feedback_type", "internet_message_id")
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    SUBMISSION_FIELD_NUMBER: _ClassVar[int]
    RECIPIENT_FIELD_NUMBER: _ClassVar[int]
    FEEDBACK_TYPE_FIELD_NUMBER: _ClassVar[int]
    INTERNET_MESSAGE_ID_FIELD_NUMBER: _ClassVar[int]
    message: str
    submission: str
    recipient: str
    feedback_type: str
    internet_message_id: str
    def __init__(self, message: _Optional[str] = ..., submission: _Optional[str] = ..., recipient: _Optional[str] = ..., feedback_type: _Optional[str] = ..., internet_message_id: _Optional[str] = ...) -> None: ...

class MessageOpened(_message.Message):
    __slots__ = ("submission", "recipient", "remote_address", "user_agent", "time")
    SUBMISSION_FIELD_NUMBER: _ClassVar[int]
    RECIPIENT_FIELD_NUMBER: _ClassVar[int]
    REMOTE_ADDRESS_FIELD_NUMBER: _ClassVar[int]
    USER_AGENT_FIELD_NUMBER: _ClassVar[int]
    TIME_FIELD_NUMBER: _ClassVar[int]
    submission: str
    recipient: str
    remote_address: str
    user_agent: str
    time: _timestamp_pb2.Timestamp
    def __init__(self, submission: _Optional[str] = ..., recipient: _Optional[str] = ..., remote_address: _Optional[str] = ..., user_agent: _Optional[str] = ..., time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class LinkClicked(_message.Message):
    __slots__ = ("submission", "recipient", "url", "remote_address", "user_agent", "time")
    SUBMISSION_FIELD_NUMBER: _ClassVar[int]
    RECIPIENT_FIELD_NUMBER: _ClassVar[int]
    URL_FIELD_NUMBER: _ClassVar[int]
    REMOTE_ADDRESS_FIELD_NUMBER: _ClassVar[int]
    USER_AGENT_FIELD_NUMBER: _ClassVar[int]
    TIME_FIELD_NUMBER: _ClassVar[int]
    submission: str
    recipient: str
    url: str
    remote_address: str
    user_agent: str
    time: _timestamp_pb2.Timestamp
    def __init__(self, submission: _Optional[str] = ..., recipient: _Optional[str] = ..., url: _Optional[str] = ..., remote_address: _Optional[str] = ..., user_agent: _Optional[str] = ..., time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class RecipientUnsubscribed(_message.Message):
    __slots__ = ("submission", "recipient", "suppression_entry")
    SUBMISSION_FIELD_NUMBER: _ClassVar[int]
    RECIPIENT_FIELD_NUMBER: _ClassVar[int]
    SUPPRESSION_ENTRY_FIELD_NUMBER: _ClassVar[int]
    submission: str
    recipient: str
    suppression_entry: str
    def __init__(self, submission: _Optional[str] = ..., recipient: _Optional[str] = ..., suppression_entry: _Optional[str] = ...) -> None: ...
